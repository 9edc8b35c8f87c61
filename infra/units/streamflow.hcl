locals {
  environment = read_terragrunt_config(find_in_parent_folders("environment.hcl")).locals
}

terraform {
  source = "${dirname(find_in_parent_folders("root.hcl"))}/modules//streamflow"
}

dependency "node" {
  config_path = "${get_terragrunt_dir()}/../k3s-node"

  mock_outputs                            = { kubeconfig = "/dev/null" }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

dependency "namespaces" {
  config_path = "${get_terragrunt_dir()}/../namespaces"

  mock_outputs                            = { names = { streamflow = "streamflow" } }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

# The operators define the resources that the overlay is made of, and fill them in.
dependencies {
  paths = [
    "${get_terragrunt_dir()}/../strimzi-kafka",
    "${get_terragrunt_dir()}/../cloudnativepg",
    "${get_terragrunt_dir()}/../monitoring",
  ]
}

inputs = {
  kubeconfig = dependency.node.outputs.kubeconfig
  namespace  = dependency.namespaces.outputs.names["streamflow"]
  manifests  = "${dirname(find_in_parent_folders("root.hcl"))}/../k8s"
  overlay    = local.environment.overlay
  has_backup = local.environment.has_backup

  # One more gives all database roles, and the workers among themselves, a new password.
  password_revision = 1
}

locals {
  environment = read_terragrunt_config(find_in_parent_folders("environment.hcl")).locals
}

terraform {
  source = "${dirname(find_in_parent_folders("root.hcl"))}/modules//monitoring"
}

dependency "node" {
  config_path = "${get_terragrunt_dir()}/../k3s-node"

  mock_outputs                            = { kubeconfig = "/dev/null" }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

dependency "namespaces" {
  config_path = "${get_terragrunt_dir()}/../namespaces"

  mock_outputs                            = { names = { monitoring = "monitoring" } }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

inputs = {
  kubeconfig = dependency.node.outputs.kubeconfig
  namespace  = dependency.namespaces.outputs.names["monitoring"]
  values     = [file("${get_terragrunt_dir()}/values.yaml")]

  has_alerting = local.environment.has_alerting
  # One more has the receiver of TF_VAR_alert_receiver written.
  alert_receiver_revision = 1
}

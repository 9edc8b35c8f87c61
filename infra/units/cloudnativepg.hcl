terraform {
  source = "${dirname(find_in_parent_folders("root.hcl"))}/modules//cloudnativepg"
}

dependency "node" {
  config_path = "${get_terragrunt_dir()}/../k3s-node"

  mock_outputs                            = { kubeconfig = "/dev/null" }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

dependency "namespaces" {
  config_path = "${get_terragrunt_dir()}/../namespaces"

  mock_outputs                            = { names = { cnpg-system = "cnpg-system" } }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

inputs = {
  kubeconfig = dependency.node.outputs.kubeconfig
  namespace  = dependency.namespaces.outputs.names["cnpg-system"]
  values     = [file("${get_terragrunt_dir()}/values.yaml")]
}

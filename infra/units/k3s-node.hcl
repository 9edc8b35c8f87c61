locals {
  environment = read_terragrunt_config(find_in_parent_folders("environment.hcl")).locals
}

terraform {
  source = "${dirname(find_in_parent_folders("root.hcl"))}/modules//k3s-node"
}

inputs = {
  server     = local.environment.server == "" ? null : local.environment.server
  agents     = local.environment.agents
  kubeconfig = local.environment.kubeconfig
}

locals {
  environment = read_terragrunt_config(find_in_parent_folders("environment.hcl")).locals
}

terraform {
  source = "${dirname(find_in_parent_folders("root.hcl"))}/modules//k3s-node"
}

inputs = {
  servers     = local.environment.servers
  agents      = local.environment.agents
  api_address = local.environment.api_address
  kubeconfig  = local.environment.kubeconfig
}

terraform {
  source = "${dirname(find_in_parent_folders("root.hcl"))}/modules//namespaces"
}

dependency "node" {
  config_path = "${get_terragrunt_dir()}/../k3s-node"

  # For plans before there is a cluster.
  mock_outputs                            = { kubeconfig = "/dev/null" }
  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]
}

inputs = {
  kubeconfig = dependency.node.outputs.kubeconfig
}

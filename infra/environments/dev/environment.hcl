# One node, which is there already unless STREAMFLOW_K3S_SERVER=user@host asks for it to be made.
locals {
  overlay     = "dev"
  servers     = compact([get_env("STREAMFLOW_K3S_SERVER", "")])
  agents      = []
  api_address = null
  kubeconfig  = get_env("KUBECONFIG", "/etc/rancher/k3s/k3s.yaml")
  has_backup  = false
  # Nobody is woken up.
  has_alerting = false
}

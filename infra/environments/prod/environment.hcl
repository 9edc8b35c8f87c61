# Three nodes, each a server: the API and its etcd go on while one of them is gone. Their names are the first thing to change.
locals {
  overlay = "prod"
  servers = ["k3s@node-1.example.com", "k3s@node-2.example.com", "k3s@node-3.example.com"]
  agents  = []
  # A name that leads to any server that answers (a load balancer, DNS); null: the first server.
  api_address = null
  kubeconfig  = "${get_env("HOME", "/root")}/.kube/streamflow-prod.yaml"
  # The credentials come in TF_VAR_backup_credentials, see infra/README.md.
  has_backup = true
  # Whom it tells comes in TF_VAR_alert_receiver; without that nothing of monitoring is applied.
  has_alerting = true
}

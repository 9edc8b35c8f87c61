# Three nodes. Their names are the first thing to change.
locals {
  overlay    = "prod"
  server     = "k3s@node-1.example.com"
  agents     = ["k3s@node-2.example.com", "k3s@node-3.example.com"]
  kubeconfig = "${get_env("HOME", "/root")}/.kube/streamflow-prod.yaml"
  # The credentials come in TF_VAR_backup_credentials, see infra/README.md.
  has_backup = true
  # Whom it tells comes in TF_VAR_alert_receiver; without that nothing of monitoring is applied.
  has_alerting = true
}

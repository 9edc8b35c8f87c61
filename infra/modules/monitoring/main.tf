# Prometheus with its operator, Grafana, and whom Alertmanager tells. What they scrape and show is in k8s/components/monitoring.

locals {
  # Alertmanager's configuration: every alert goes to the one receiver, but for the two that always fire by design.
  alertmanager = {
    route = {
      receiver = "on-call"
      group_by = ["alertname", "namespace"]
      routes   = [{ receiver = "nobody", matchers = ["alertname =~ \"Watchdog|InfoInhibitor\""] }]
    }
    receivers = [
      merge({ name = "on-call" }, yamldecode(coalesce(var.alert_receiver, "{}"))),
      { name = "nobody" },
    ]
  }
}

# The chart's values name this Secret. Without it the operator would run an Alertmanager that tells nobody.
resource "kubernetes_secret_v1" "receiver" {
  count = var.has_alerting ? 1 : 0

  metadata {
    name      = "alertmanager-receiver"
    namespace = var.namespace
  }

  data_wo = {
    "alertmanager.yaml" = yamlencode(local.alertmanager)
  }
  data_wo_revision = var.alert_receiver_revision
}

resource "helm_release" "stack" {
  name       = "monitoring"
  namespace  = var.namespace
  repository = "https://prometheus-community.github.io/helm-charts"
  chart      = "kube-prometheus-stack"
  version    = var.chart_version
  atomic     = true
  timeout    = 900
  values     = var.values
  depends_on = [kubernetes_secret_v1.receiver]
}

# Prometheus with its operator, and Grafana. What they scrape and show is in k8s/components/monitoring.
resource "helm_release" "stack" {
  name       = "monitoring"
  namespace  = var.namespace
  repository = "https://prometheus-community.github.io/helm-charts"
  chart      = "kube-prometheus-stack"
  version    = var.chart_version
  atomic     = true
  timeout    = 900
  values     = var.values
}

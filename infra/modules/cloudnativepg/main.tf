# The operator and its resource definitions. The PostgreSQL cluster itself is in k8s/base/postgres.
resource "helm_release" "operator" {
  name       = "cloudnative-pg"
  namespace  = var.namespace
  repository = "https://cloudnative-pg.github.io/charts"
  chart      = "cloudnative-pg"
  version    = var.chart_version
  atomic     = true
  timeout    = 600
  values     = var.values
}

# The operator and its resource definitions. The Kafka cluster itself is in k8s/base/kafka.
resource "helm_release" "operator" {
  name       = "strimzi"
  namespace  = var.namespace
  repository = "https://strimzi.io/charts/"
  chart      = "strimzi-kafka-operator"
  version    = var.chart_version
  atomic     = true
  timeout    = 600
  values     = concat(var.values, [yamlencode({ watchNamespaces = var.watched_namespaces })])
}

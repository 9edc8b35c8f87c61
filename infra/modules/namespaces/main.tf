# Namespaces come before the operators, which need to know whose resources they watch.
resource "kubernetes_namespace_v1" "this" {
  for_each = var.namespaces

  metadata {
    name = each.key
    labels = {
      "pod-security.kubernetes.io/enforce" = each.value
      "pod-security.kubernetes.io/warn"    = each.value
      "pod-security.kubernetes.io/audit"   = each.value
    }
  }

  lifecycle {
    # The manifests add labels of their own.
    ignore_changes = [metadata[0].labels, metadata[0].annotations]
  }
}

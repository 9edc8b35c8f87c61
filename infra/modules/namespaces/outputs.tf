output "names" {
  description = "Name of each namespace, by itself: to depend on it"
  value       = { for key, namespace in kubernetes_namespace_v1.this : key => namespace.metadata[0].name }
}

output "database_secrets" {
  description = "Secret with the password of each database role, by role"
  value       = { for key, role in local.roles : role => kubernetes_secret_v1.role[key].metadata[0].name }
}

output "applied" {
  description = "Hash of the manifests as they were applied"
  value       = sha256(join("\n", local.sources))
  depends_on  = [terraform_data.overlay]
}

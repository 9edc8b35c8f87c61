output "kubeconfig" {
  description = "File with the access to the cluster"
  value       = var.kubeconfig
  depends_on  = [terraform_data.server, terraform_data.agent]
}

output "server_config" {
  description = "The server's configuration"
  value       = local.server_config
}

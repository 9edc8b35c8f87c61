output "kubeconfig" {
  description = "File with the access to the cluster"
  value       = var.kubeconfig
  depends_on  = [terraform_data.servers, terraform_data.agent]
}

output "first_server_config" {
  description = "The configuration of the first server, or the only one"
  value       = local.first_config
}

output "further_server_config" {
  description = "The configuration of each other server"
  value       = local.further_config
}

output "chart_version" {
  description = "Installed version of the chart: to depend on it"
  value       = helm_release.operator.version
}

variable "kubeconfig" {
  description = "File with the access to the cluster"
  type        = string
}

variable "namespace" {
  description = "Namespace of Prometheus and Grafana; it exists"
  type        = string
}

variable "chart_version" {
  description = "Version of the chart kube-prometheus-stack; 88.3.0 is Prometheus operator 0.93.0"
  type        = string
  default     = "88.3.0"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.chart_version))
    error_message = "chart_version must be one version, as 88.3.0."
  }
}

variable "values" {
  description = "The chart's values, each a YAML document; later ones win"
  type        = list(string)
  default     = []
}

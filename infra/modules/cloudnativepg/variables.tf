variable "kubeconfig" {
  description = "File with the access to the cluster"
  type        = string
}

variable "namespace" {
  description = "Namespace of the operator; it exists"
  type        = string
}

variable "chart_version" {
  description = "Version of the chart cloudnative-pg; 0.29.0 is operator 1.30.0"
  type        = string
  default     = "0.29.0"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.chart_version))
    error_message = "chart_version must be one version, as 0.29.0."
  }
}

variable "values" {
  description = "The chart's values, each a YAML document; later ones win"
  type        = list(string)
  default     = []
}

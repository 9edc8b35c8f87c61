variable "kubeconfig" {
  description = "File with the access to the cluster"
  type        = string
}

variable "namespace" {
  description = "Namespace of the operator; it exists"
  type        = string
}

variable "chart_version" {
  description = "Version of the chart strimzi-kafka-operator, which is the operator's"
  type        = string
  default     = "1.2.0"

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.chart_version))
    error_message = "chart_version must be one version, as 1.2.0."
  }
}

variable "values" {
  description = "The chart's values, each a YAML document; later ones win"
  type        = list(string)
  default     = []
}

variable "watched_namespaces" {
  description = "Namespaces whose Kafka resources the operator manages"
  type        = list(string)
}

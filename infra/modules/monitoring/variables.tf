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

variable "has_alerting" {
  description = "Whether there is an Alertmanager, which then needs alert_receiver"
  type        = bool
}

variable "alert_receiver" {
  description = "Whom Alertmanager tells: a receiver of its configuration without name, in YAML or JSON; null where there is no Alertmanager"
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = !var.has_alerting || var.alert_receiver != null
    error_message = "alert_receiver is missing: alerts would reach nobody. Export TF_VAR_alert_receiver (infra/README.md, Alerts)."
  }
  validation {
    condition = var.alert_receiver == null ? true : try(
      length(yamldecode(var.alert_receiver)) > 0 &&
      alltrue([for key, configs in yamldecode(var.alert_receiver) : endswith(key, "_configs") && length(configs) > 0]), false
    )
    error_message = "alert_receiver must be lists of Alertmanager, as {webhook_configs: [{url: ...}]}, none of them empty."
  }
  validation {
    condition     = !can(regex("[@./]example\\.", coalesce(var.alert_receiver, "-")))
    error_message = "alert_receiver has an address of the documentation (example.com), which nobody reads."
  }
}

variable "alert_receiver_revision" {
  description = "Raise it by one to have another alert_receiver written"
  type        = number
  default     = 1

  validation {
    condition     = var.alert_receiver_revision >= 1 && floor(var.alert_receiver_revision) == var.alert_receiver_revision
    error_message = "alert_receiver_revision must be a whole number from 1 on."
  }
}

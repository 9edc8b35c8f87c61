variable "kubeconfig" {
  description = "File with the access to the cluster"
  type        = string
}

variable "namespaces" {
  description = "Pod security level (restricted, baseline or privileged) by namespace"
  type        = map(string)
  default = {
    streamflow     = "restricted"
    strimzi-system = "restricted"
    cnpg-system    = "restricted"
    # The node exporter reads the node.
    monitoring = "privileged"
  }

  validation {
    condition     = alltrue([for level in values(var.namespaces) : contains(["restricted", "baseline", "privileged"], level)])
    error_message = "the pod security level must be restricted, baseline or privileged."
  }
}

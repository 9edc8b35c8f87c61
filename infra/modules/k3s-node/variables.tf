variable "server" {
  description = "user@host of the machine that becomes the K3s server, reached by ssh with sudo; null where a cluster is there already"
  type        = string
  default     = null

  validation {
    condition     = var.server == null ? true : can(regex("^[a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+$", var.server))
    error_message = "server must be user@host."
  }
}

variable "agents" {
  description = "user@host of each further machine that joins the server"
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for agent in var.agents : can(regex("^[a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+$", agent))])
    error_message = "each of agents must be user@host."
  }
  validation {
    condition     = length(var.agents) == 0 || var.server != null
    error_message = "agents join a server: give server too."
  }
}

variable "k3s_version" {
  description = "Release of K3s; scripts/manifests checks the manifests against the schemas of the same minor version"
  type        = string
  default     = "v1.35.6+k3s1"

  validation {
    condition     = can(regex("^v1\\.[0-9]+\\.[0-9]+\\+k3s[0-9]+$", var.k3s_version))
    error_message = "k3s_version must look like v1.35.6+k3s1: a channel would install something else tomorrow."
  }
}

variable "kubeconfig" {
  description = "File with the access to the cluster: written where server is given, else it must be there"
  type        = string
}

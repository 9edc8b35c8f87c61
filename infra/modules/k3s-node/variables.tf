variable "servers" {
  description = "user@host of each machine that becomes a K3s server, reached by ssh with sudo; none where a cluster is there already"
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for server in var.servers : can(regex("^[a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+$", server))])
    error_message = "each of servers must be user@host."
  }
  validation {
    condition     = length(var.servers) == 0 || length(var.servers) % 2 == 1
    error_message = "servers must be 1, 3 or 5: etcd goes on while most of them do, and most of two is both."
  }
  validation {
    condition     = length(distinct(var.servers)) == length(var.servers)
    error_message = "each of servers must be another machine."
  }
}

variable "api_address" {
  description = "Name or address by which kubectl and the modules reach the API, as that of a load balancer; by default the first server"
  type        = string
  default     = null

  validation {
    condition     = var.api_address == null ? true : can(regex("^[A-Za-z0-9.-]+$", var.api_address))
    error_message = "api_address must be a host, without user and port."
  }
}

variable "agents" {
  description = "user@host of each further machine that joins the servers"
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for agent in var.agents : can(regex("^[a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+$", agent))])
    error_message = "each of agents must be user@host."
  }
  validation {
    condition     = length(var.agents) == 0 || length(var.servers) > 0
    error_message = "agents join a server: give servers too."
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
  description = "File with the access to the cluster: written where servers are given, else it must be there"
  type        = string
}

variable "kubeconfig" {
  description = "File with the access to the cluster"
  type        = string
}

variable "namespace" {
  description = "Namespace of the pipeline; it exists"
  type        = string
}

variable "manifests" {
  description = "Directory k8s of the repository"
  type        = string
}

variable "overlay" {
  description = "Which overlay is applied: dev or prod"
  type        = string

  validation {
    condition     = contains(["dev", "prod"], var.overlay)
    error_message = "overlay must be dev or prod."
  }
}

variable "password_revision" {
  description = "Raise it by one to give each database role, and the workers among themselves, a new password"
  type        = number
  default     = 1

  validation {
    condition     = var.password_revision >= 1 && floor(var.password_revision) == var.password_revision
    error_message = "password_revision must be a whole number from 1 on."
  }
}

variable "backup_credentials" {
  description = "Access to the bucket of PostgreSQL's backups; null where there are none"
  type = object({
    access_key_id     = string
    access_secret_key = string
    region            = string
  })
  default   = null
  sensitive = true
  ephemeral = true

  validation {
    condition     = !var.has_backup || var.backup_credentials != null
    error_message = "backup_credentials are missing: nothing would be backed up. Export TF_VAR_backup_credentials (infra/README.md)."
  }
}

variable "has_backup" {
  description = "Whether backup_credentials are given: what is ephemeral cannot decide what exists"
  type        = bool
  default     = false
}

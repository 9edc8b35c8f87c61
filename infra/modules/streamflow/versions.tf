terraform {
  # Write-only attributes: passwords are in no state and no plan.
  required_version = ">= 1.11"
  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "3.2.1"
    }
    random = {
      source  = "hashicorp/random"
      version = "3.9.0"
    }
  }
}

provider "kubernetes" {
  config_path = var.kubeconfig
}

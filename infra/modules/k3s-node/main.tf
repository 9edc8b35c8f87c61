# One K3s server and the agents that join it; nothing where the cluster is there already. Destroying this leaves K3s where it is:
# uninstalling it would delete every volume.

locals {
  # Part of /etc/rancher/k3s/config.yaml on the server. What needs restarting K3s is here, not in the installer's arguments.
  server_config = {
    "write-kubeconfig-mode" = "0600"
    "secrets-encryption"    = true
    # Nothing is published: no ingress, no load balancer.
    "disable" = ["traefik", "servicelb"]
    # Workers are updated all at once, see k8s/base/worker/statefulset.yaml: off by default since Kubernetes 1.35.4.
    "kube-apiserver-arg"          = ["feature-gates=MaxUnavailableStatefulSet=true"]
    "kube-controller-manager-arg" = ["feature-gates=MaxUnavailableStatefulSet=true"]
    "tls-san"                     = var.server == null ? [] : [split("@", var.server)[1]]
  }
  agent_config = {
    "server"     = var.server == null ? null : "https://${split("@", var.server)[1]}:6443"
    "token-file" = "/etc/rancher/k3s/token"
  }
}

resource "terraform_data" "server" {
  count            = var.server == null ? 0 : 1
  triggers_replace = [var.server, var.k3s_version, local.server_config]

  provisioner "local-exec" {
    command = "sh ${path.module}/install.sh server"
    environment = {
      TARGET      = var.server
      K3S_VERSION = var.k3s_version
      K3S_CONFIG  = yamlencode(local.server_config)
      KUBE_CONFIG = var.kubeconfig
    }
  }
}

resource "terraform_data" "agent" {
  for_each         = var.agents
  triggers_replace = [each.value, var.k3s_version, local.agent_config]
  depends_on       = [terraform_data.server]

  provisioner "local-exec" {
    command = "sh ${path.module}/install.sh agent"
    environment = {
      TARGET      = each.value
      SERVER      = var.server
      K3S_VERSION = var.k3s_version
      K3S_CONFIG  = yamlencode(local.agent_config)
    }
  }
}

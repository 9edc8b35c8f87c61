# K3s servers and the agents that join them; nothing where the cluster is there already. Destroying this leaves K3s where it is:
# uninstalling it would delete every volume.

locals {
  hosts = [for server in var.servers : split("@", server)[1]]
  api   = var.api_address != null ? var.api_address : try(local.hosts[0], null)

  # Part of /etc/rancher/k3s/config.yaml on each server. What needs restarting K3s is here, not in the installer's arguments.
  server_config = {
    "write-kubeconfig-mode" = "0600"
    "secrets-encryption"    = true
    # Nothing is published: no ingress, no load balancer.
    "disable" = ["traefik", "servicelb"]
    # Workers are updated all at once, see k8s/base/worker/statefulset.yaml: off by default since Kubernetes 1.35.4.
    "kube-apiserver-arg"          = ["feature-gates=MaxUnavailableStatefulSet=true"]
    "kube-controller-manager-arg" = ["feature-gates=MaxUnavailableStatefulSet=true"]
    # By whatever name a server is reached, its certificate fits: kubectl can go to another one.
    "tls-san" = distinct(concat(compact([local.api]), local.hosts))
  }
  # Several servers keep the cluster's state in an etcd of their own, which goes on while most of them do. One alone has a file.
  first_config   = merge(local.server_config, length(var.servers) > 1 ? { "cluster-init" = true } : {})
  further_config = merge(local.server_config, local.join_config)
  # Who joins asks the first server; afterwards each knows them all.
  join_config = {
    "server"     = try("https://${local.hosts[0]}:6443", null)
    "token-file" = "/etc/rancher/k3s/token"
  }
}

# The servers one after the other, each when the one before is ready: an update that restarts two at once would stop etcd.
resource "terraform_data" "servers" {
  count            = length(var.servers) == 0 ? 0 : 1
  triggers_replace = [var.servers, var.k3s_version, local.server_config, local.api]

  provisioner "local-exec" {
    command = "sh ${path.module}/install.sh server"
    environment = {
      TARGETS     = join(" ", slice(var.servers, 0, 1))
      K3S_VERSION = var.k3s_version
      K3S_CONFIG  = yamlencode(local.first_config)
    }
  }

  provisioner "local-exec" {
    command = "sh ${path.module}/install.sh server"
    environment = {
      TARGETS     = join(" ", slice(var.servers, 1, length(var.servers)))
      FIRST       = var.servers[0]
      K3S_VERSION = var.k3s_version
      K3S_CONFIG  = yamlencode(local.further_config)
    }
  }

  provisioner "local-exec" {
    command = "sh ${path.module}/install.sh access"
    environment = {
      TARGETS     = var.servers[0]
      API         = local.api
      KUBE_CONFIG = var.kubeconfig
    }
  }
}

resource "terraform_data" "agent" {
  for_each         = var.agents
  triggers_replace = [each.value, var.k3s_version, local.join_config]
  depends_on       = [terraform_data.servers]

  provisioner "local-exec" {
    command = "sh ${path.module}/install.sh agent"
    environment = {
      TARGETS     = each.value
      FIRST       = var.servers[0]
      K3S_VERSION = var.k3s_version
      K3S_CONFIG  = yamlencode(local.join_config)
    }
  }
}

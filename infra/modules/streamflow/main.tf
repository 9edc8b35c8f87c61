# Secrets, then the overlay. Passwords that operators make themselves (Kafka users, the database's owner) are not here.

locals {
  # Secret streamflow-postgres-KEY by database role, as k8s/base/postgres/roles.yaml refers to them, and those components that an overlay
  # may have: a password without a role opens nothing.
  roles = {
    worker      = "streamflow"
    maintenance = "streamflow_maintenance"
    analyst     = "streamflow_analyst"
    verify      = "streamflow_verify"
    resubmit    = "streamflow_resubmit"
  }
  sources = [for file in sort(fileset(var.manifests, "**")) : "${file} ${filesha256("${var.manifests}/${file}")}"]
}

ephemeral "random_password" "role" {
  for_each = local.roles
  length   = 40
  special  = false
}

resource "kubernetes_secret_v1" "role" {
  for_each = local.roles
  type     = "kubernetes.io/basic-auth"

  metadata {
    name      = "streamflow-postgres-${each.key}"
    namespace = var.namespace
    # The operator gives the role its new password when this changes.
    labels = { "cnpg.io/reload" = "true" }
  }

  data_wo = {
    username = each.value
    password = ephemeral.random_password.role[each.key].result
  }
  data_wo_revision = var.password_revision
}

ephemeral "random_password" "cluster" {
  length  = 64
  special = false
}

# By which workers know each other.
resource "kubernetes_secret_v1" "cluster" {
  metadata {
    name      = "streamflow-cluster-password"
    namespace = var.namespace
  }

  data_wo = {
    password = ephemeral.random_password.cluster.result
  }
  data_wo_revision = var.password_revision
}

resource "kubernetes_secret_v1" "backup" {
  count = var.has_backup ? 1 : 0

  metadata {
    name      = "streamflow-postgres-backup"
    namespace = var.namespace
  }

  data_wo = {
    ACCESS_KEY_ID     = var.backup_credentials.access_key_id
    ACCESS_SECRET_KEY = var.backup_credentials.access_secret_key
    REGION            = var.backup_credentials.region
  }
  data_wo_revision = var.password_revision
}

# Custom resources cannot be planned before their definitions are installed; kubectl applies them when it is their turn.
resource "terraform_data" "overlay" {
  triggers_replace = [var.overlay, sha256(join("\n", local.sources))]
  depends_on       = [kubernetes_secret_v1.role, kubernetes_secret_v1.cluster, kubernetes_secret_v1.backup]

  provisioner "local-exec" {
    command = "sh ${path.module}/apply.sh"
    environment = {
      KUBECONFIG = var.kubeconfig
      OVERLAY    = "${var.manifests}/overlays/${var.overlay}"
      NAMESPACE  = var.namespace
    }
  }
}

# Plans only, with a mocked cluster; the providers themselves are needed.

mock_provider "kubernetes" {}

variables {
  kubeconfig = "/tmp/kubeconfig"
  namespace  = "streamflow"
  manifests  = "../../../k8s"
  overlay    = "dev"
}

run "each_database_role_has_its_secret" {
  command = plan

  assert {
    condition = output.database_secrets == {
      streamflow             = "streamflow-postgres-worker"
      streamflow_maintenance = "streamflow-postgres-maintenance"
      streamflow_analyst     = "streamflow-postgres-analyst"
      streamflow_verify      = "streamflow-postgres-verify"
      streamflow_resubmit    = "streamflow-postgres-resubmit"
    }
    error_message = "these names are what k8s/base refers to"
  }
  assert {
    condition     = alltrue([for secret in kubernetes_secret_v1.role : secret.data_wo == null && secret.data_wo_revision == 1])
    error_message = "passwords are write-only: not in the plan, not in the state"
  }
  assert {
    condition     = kubernetes_secret_v1.cluster.metadata[0].name == "streamflow-cluster-password" && kubernetes_secret_v1.cluster.data_wo == null
    error_message = "workers have a password among themselves, which is write-only too"
  }
  assert {
    condition     = length(kubernetes_secret_v1.backup) == 0
    error_message = "without backups no secret for them"
  }
}

run "backups_bring_their_credentials" {
  command = plan
  variables {
    has_backup = true
    backup_credentials = {
      access_key_id     = "id"
      access_secret_key = "key"
      region            = "region"
    }
  }

  assert {
    condition     = length(kubernetes_secret_v1.backup) == 1
    error_message = "the secret that overlays/prod refers to"
  }
}

run "an_unknown_overlay" {
  command = plan
  variables {
    overlay = "staging"
  }
  expect_failures = [var.overlay]
}

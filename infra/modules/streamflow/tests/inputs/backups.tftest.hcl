# What the variables alone refuse: no provider is needed.

variables {
  kubeconfig = "/tmp/kubeconfig"
  namespace  = "streamflow"
  manifests  = "../../../k8s"
  overlay    = "prod"
}

run "backups_without_credentials" {
  command = plan
  variables {
    has_backup = true
  }
  expect_failures = [var.backup_credentials]
}

run "no_backups_no_credentials" {
  command = plan
}

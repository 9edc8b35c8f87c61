# Plans only, with a mocked cluster; the providers themselves are needed.

mock_provider "kubernetes" {}
mock_provider "helm" {}

variables {
  kubeconfig = "/tmp/kubeconfig"
  namespace  = "monitoring"
}

run "the_receiver_is_a_secret" {
  command = plan
  variables {
    has_alerting   = true
    alert_receiver = "webhook_configs: [{url: 'https://pager.streamflow.test/hook'}]"
  }

  assert {
    condition     = kubernetes_secret_v1.receiver[0].metadata[0].name == "alertmanager-receiver"
    error_message = "the Secret that the values of environments/prod name"
  }
  assert {
    condition     = kubernetes_secret_v1.receiver[0].data_wo == null
    error_message = "it is write-only: not in the plan, not in the state"
  }
}

run "without_alertmanager_no_secret" {
  command = plan
  variables {
    has_alerting = false
  }

  assert {
    condition     = length(kubernetes_secret_v1.receiver) == 0
    error_message = "nobody would read it"
  }
}

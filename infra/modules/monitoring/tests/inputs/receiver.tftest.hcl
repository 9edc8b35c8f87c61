# What the variables alone refuse: no provider is needed.

variables {
  kubeconfig   = "/tmp/kubeconfig"
  namespace    = "monitoring"
  has_alerting = true
}

run "alerts_for_nobody" {
  command         = plan
  expect_failures = [var.alert_receiver]
}

run "a_receiver" {
  command = plan
  variables {
    alert_receiver = "webhook_configs: [{url: 'https://pager.streamflow.test/hook'}]"
  }
}

run "a_receiver_in_json" {
  command = plan
  variables {
    alert_receiver = "{\"webhook_configs\": [{\"url\": \"https://pager.streamflow.test/hook\"}]}"
  }
}

run "no_alertmanager_no_receiver" {
  command = plan
  variables {
    has_alerting = false
  }
}

run "a_receiver_without_a_list" {
  command = plan
  variables {
    alert_receiver = "webhook_configs: []"
  }
  expect_failures = [var.alert_receiver]
}

run "an_empty_receiver" {
  command = plan
  variables {
    alert_receiver = ""
  }
  expect_failures = [var.alert_receiver]
}

run "an_address_alone" {
  command = plan
  variables {
    alert_receiver = "https://pager.streamflow.test/hook"
  }
  expect_failures = [var.alert_receiver]
}

run "the_address_of_the_documentation" {
  command = plan
  variables {
    alert_receiver = "webhook_configs: [{url: 'https://pager.example.com/hook'}]"
  }
  expect_failures = [var.alert_receiver]
}

run "half_a_revision" {
  command = plan
  variables {
    has_alerting            = false
    alert_receiver_revision = 1.5
  }
  expect_failures = [var.alert_receiver_revision]
}

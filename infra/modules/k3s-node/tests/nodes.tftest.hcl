# Plans only: nothing is reached, no provider is needed.

variables {
  kubeconfig = "/tmp/kubeconfig"
}

run "an_existing_cluster_is_left_alone" {
  command = plan

  assert {
    condition     = length(terraform_data.server) == 0 && length(terraform_data.agent) == 0
    error_message = "without a server nothing is installed"
  }
  assert {
    condition     = output.kubeconfig == "/tmp/kubeconfig"
    error_message = "the given access is handed on"
  }
}

run "a_server_and_its_agents" {
  command = plan
  variables {
    server = "root@node-1.example.com"
    agents = ["root@node-2.example.com", "root@node-3.example.com"]
  }

  assert {
    condition     = length(terraform_data.server) == 1 && length(terraform_data.agent) == 2
    error_message = "one server, two agents"
  }
  assert {
    condition     = output.server_config["tls-san"] == tolist(["node-1.example.com"])
    error_message = "the server's certificate names the host by which it is reached"
  }
  assert {
    condition     = contains(output.server_config["kube-controller-manager-arg"], "feature-gates=MaxUnavailableStatefulSet=true")
    error_message = "workers can be updated at once"
  }
  assert {
    condition     = output.server_config["secrets-encryption"]
    error_message = "Secrets are encrypted on disk"
  }
}

run "a_channel_is_no_version" {
  command = plan
  variables {
    k3s_version = "stable"
  }
  expect_failures = [var.k3s_version]
}

run "a_host_without_a_user" {
  command = plan
  variables {
    server = "node-1.example.com"
  }
  expect_failures = [var.server]
}

run "agents_without_a_server" {
  command = plan
  variables {
    agents = ["root@node-2.example.com"]
  }
  expect_failures = [var.agents]
}

# Plans only: nothing is reached, no provider is needed.

variables {
  kubeconfig = "/tmp/kubeconfig"
}

run "an_existing_cluster_is_left_alone" {
  command = plan

  assert {
    condition     = length(terraform_data.servers) == 0 && length(terraform_data.agent) == 0
    error_message = "without a server nothing is installed"
  }
  assert {
    condition     = output.kubeconfig == "/tmp/kubeconfig"
    error_message = "the given access is handed on"
  }
}

run "one_server_and_its_agents" {
  command = plan
  variables {
    servers = ["root@node-1.example.com"]
    agents  = ["root@node-2.example.com", "root@node-3.example.com"]
  }

  assert {
    condition     = length(terraform_data.servers) == 1 && length(terraform_data.agent) == 2
    error_message = "one server, two agents"
  }
  assert {
    condition     = output.first_server_config["tls-san"] == tolist(["node-1.example.com"])
    error_message = "the server's certificate names the host by which it is reached"
  }
  assert {
    condition     = contains(output.first_server_config["kube-controller-manager-arg"], "feature-gates=MaxUnavailableStatefulSet=true")
    error_message = "workers can be updated at once"
  }
  assert {
    condition     = output.first_server_config["secrets-encryption"]
    error_message = "Secrets are encrypted on disk"
  }
  assert {
    condition     = !can(output.first_server_config["cluster-init"])
    error_message = "one server needs no etcd"
  }
}

run "three_servers_with_an_etcd_of_their_own" {
  command = plan
  variables {
    servers     = ["root@node-1.example.com", "root@node-2.example.com", "root@node-3.example.com"]
    api_address = "api.example.com"
  }

  assert {
    condition     = output.first_server_config["cluster-init"] && !can(output.first_server_config["server"])
    error_message = "the first server begins"
  }
  assert {
    condition     = output.further_server_config["server"] == "https://node-1.example.com:6443" && !can(output.further_server_config["cluster-init"])
    error_message = "the others join it"
  }
  assert {
    condition = alltrue([for config in [output.first_server_config, output.further_server_config] :
      length(setsubtract(["api.example.com", "node-1.example.com", "node-2.example.com", "node-3.example.com"], config["tls-san"])) == 0
    ])
    error_message = "every certificate fits every name"
  }
  assert {
    condition = alltrue([for key in ["secrets-encryption", "disable", "kube-apiserver-arg", "kube-controller-manager-arg"] :
      output.first_server_config[key] == output.further_server_config[key]
    ])
    error_message = "all servers are alike, as K3s demands"
  }
}

run "two_servers_have_no_majority" {
  command = plan
  variables {
    servers = ["root@node-1.example.com", "root@node-2.example.com"]
  }
  expect_failures = [var.servers]
}

run "one_machine_twice" {
  command = plan
  variables {
    servers = ["root@node-1.example.com", "root@node-1.example.com", "root@node-2.example.com"]
  }
  expect_failures = [var.servers]
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
    servers = ["node-1.example.com"]
  }
  expect_failures = [var.servers]
}

run "agents_without_a_server" {
  command = plan
  variables {
    agents = ["root@node-2.example.com"]
  }
  expect_failures = [var.agents]
}

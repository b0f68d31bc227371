# What the pod may do, how it is told, and when it is replaced.

mock_provider "kubernetes" {}

variables {
  image  = "registry.example.com/em-metrics:1.0.0"
  config = { auth = { no_auth = true } }
}

run "it_may_do_nothing_but_serve" {
  command = plan

  assert {
    condition = (
      kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].security_context[0].run_as_non_root && kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].security_context[0].seccomp_profile[0].type == "RuntimeDefault"
      && [kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].security_context[0].run_as_user, kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].security_context[0].run_as_group, kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].security_context[0].fs_group] == ["65532", "65532", "65532"]
    )
    error_message = "the pod"
  }
  assert {
    condition = (
      kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].run_as_non_root && kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].read_only_root_filesystem
      && !kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].allow_privilege_escalation && kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].capabilities[0].drop == tolist(["ALL"])
    )
    error_message = "the container"
  }
  assert {
    condition     = !kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].automount_service_account_token && !kubernetes_service_account_v1.account.automount_service_account_token
    error_message = "no token of the cluster"
  }
  assert {
    condition     = kubernetes_namespace_v1.namespace[0].metadata[0].labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "the namespace holds it to that"
  }
}

run "it_is_asked_whether_it_is_well" {
  command = plan

  assert {
    condition = [for probe in ["startup_probe", "liveness_probe", "readiness_probe"] :
      kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0][probe][0].http_get[0].path
    ] == ["/health/live", "/health/live", "/health/ready"]
    error_message = "a pod whose database is away gets no requests, and is not restarted"
  }
}

run "the_configuration_is_a_file" {
  command = plan

  assert {
    condition     = jsondecode(kubernetes_config_map_v1.config[0].data["config.json"]) == { auth = { no_auth = true } }
    error_message = "as it was given"
  }
  assert {
    condition     = { for entry in kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].env : entry.name => entry.value }.CONFIG == "/etc/em-metrics/config.json"
    error_message = "and it is named"
  }
}

run "another_configuration_replaces_the_pods" {
  command = plan

  variables {
    config = { auth = { no_auth = true }, log = { filter = "debug" } }
  }

  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].template[0].metadata[0].annotations["em-metrics/config"] != sha256(jsonencode({ auth = { no_auth = true } }))
    error_message = "else they would go on with the old one"
  }
}

run "another_token_replaces_the_pods" {
  command = plan

  variables {
    tokens = [{ name = "ci", token = "0123456789abcdef" }]
  }

  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].template[0].metadata[0].annotations["em-metrics/secrets"] != substr(sha256(jsonencode([{}, []])), 0, 8)
    error_message = "else the old one would go on to let people in"
  }
}

run "whom_it_speaks_to_is_bounded" {
  command = plan

  variables {
    network_policy = {
      from         = [{ namespace_labels = { "kubernetes.io/metadata.name" = "ingress-nginx" } }]
      egress_ports = [6432]
      egress_cidrs = ["10.0.0.0/8"]
    }
  }

  assert {
    condition     = kubernetes_network_policy_v1.pods[0].spec[0].ingress[0].from[*].namespace_selector[0].match_labels["kubernetes.io/metadata.name"] == tolist(["ingress-nginx"])
    error_message = "who may come"
  }
  assert {
    condition = (
      kubernetes_network_policy_v1.pods[0].spec[0].egress[1].ports[*].port == tolist(["6432"])
      && kubernetes_network_policy_v1.pods[0].spec[0].egress[1].to[*].ip_block[0].cidr == tolist(["10.0.0.0/8"])
    )
    error_message = "where it may go"
  }
}

run "no_port_is_not_every_port" {
  command = plan

  variables {
    network_policy = { egress_ports = [] }
  }

  assert {
    condition     = kubernetes_network_policy_v1.pods[0].spec[0].egress[*].ports[0].port == tolist(["53"])
    error_message = "only DNS is left"
  }
}

run "the_way_in_is_by_tls" {
  command = plan

  variables {
    ingress = { host = "em-metrics.example.com", class_name = "nginx" }
  }

  assert {
    condition     = kubernetes_ingress_v1.ingress[0].spec[0].tls[0] == { hosts = tolist(["em-metrics.example.com"]), secret_name = "em-metrics-tls" }
    error_message = "with a certificate"
  }
  assert {
    condition     = output.url == "https://em-metrics.example.com"
    error_message = "the address"
  }
}

run "no_way_in_unless_asked_for" {
  command = plan

  assert {
    condition     = length(kubernetes_ingress_v1.ingress) == 0 && length(kubernetes_manifest.service_monitor) == 0 && output.url == null
    error_message = "neither an ingress nor a service monitor"
  }
}

run "totals_of_one_pod_are_scraped" {
  command = plan

  variables {
    service_monitor = {}
  }

  assert {
    condition     = !contains(keys(kubernetes_manifest.service_monitor[0].manifest.spec.endpoints[0]), "metricRelabelings")
    error_message = "there is nobody else who brings them"
  }
}

run "totals_that_are_pushed_are_not_scraped" {
  command = plan

  variables {
    collector_url   = "http://collector:4318"
    service_monitor = {}
  }

  assert {
    condition     = kubernetes_manifest.service_monitor[0].manifest.spec.endpoints[0].metricRelabelings[0].action == "drop"
    error_message = "every sum would be twice as large"
  }
}

run "totals_of_several_pods_are_not_scraped" {
  command = plan

  variables {
    database        = "postgres"
    database_url    = "postgres://em:secret@db.example.com/em"
    replicas        = 3
    service_monitor = { totals = true }
  }

  expect_failures = [var.service_monitor]
}

run "somebody_must_be_able_to_sign_in" {
  command = plan

  variables {
    config = {}
  }

  expect_failures = [kubernetes_deployment_v1.deployment]
}

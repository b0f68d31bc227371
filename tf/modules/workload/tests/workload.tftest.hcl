mock_provider "kubernetes" {}

variables {
  name      = "collector"
  namespace = "em-metrics"
  image     = "registry.example.com/collector:1.0.0"
  user      = 10001
  ports     = { http = 80 }
  probe     = { port = "http" }
  resources = { requests = {}, limits = {} }
  files     = { "/etc/a" = { "x.yml" = "1" }, "/etc/b" = { "x.yml" = "2" } }
}

run "a_pod_that_keeps_to_the_rules" {
  command = plan

  assert {
    condition = (
      kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].run_as_non_root && kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].read_only_root_filesystem
      && !kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].allow_privilege_escalation && kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].security_context[0].capabilities[0].drop == tolist(["ALL"])
    )
    error_message = "it may do nothing but serve"
  }
  assert {
    condition     = kubernetes_config_map_v1.config.data == tomap({ "files-0-x.yml" = "1", "files-1-x.yml" = "2" })
    error_message = "files of one name in two folders are two files"
  }
  assert {
    condition     = length(kubernetes_network_policy_v1.pods.spec[0].ingress[0].from) == 1 && length(kubernetes_network_policy_v1.pods.spec[0].ingress[0].from[0].pod_selector) == 1
    error_message = "only its namespace may speak to it"
  }
}

run "root_is_refused" {
  command = plan

  variables {
    user = 0
  }

  expect_failures = [var.user]
}

run "an_image_that_may_be_any_is_refused" {
  command = plan

  variables {
    image = "registry.example.com/collector:latest"
  }

  expect_failures = [var.image]
}

run "a_size_without_a_unit_is_refused" {
  command = plan

  variables {
    volume = { path = "/data", size = "five" }
  }

  expect_failures = [var.volume]
}

run "a_probe_of_no_port_is_refused" {
  command = plan

  variables {
    probe = { port = "grpc" }
  }

  expect_failures = [var.probe]
}

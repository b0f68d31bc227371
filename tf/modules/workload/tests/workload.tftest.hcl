mock_provider "kubectl" {}

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
    condition = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].securityContext == {
      runAsNonRoot             = true
      readOnlyRootFilesystem   = true
      allowPrivilegeEscalation = false
      capabilities             = { drop = ["ALL"] }
    }
    error_message = "it may do nothing but serve"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.config.yaml_body)).data == { "files-0-x.yml" = "1", "files-1-x.yml" = "2" }
    error_message = "files of one name in two folders are two files"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.network_policy.yaml_body)).spec.ingress[0].from == [{ podSelector = {} }]
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

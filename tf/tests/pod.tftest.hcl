# What the pod may do, how it is told, and when it is replaced.

mock_provider "kubectl" {}

variables {
  image  = "registry.example.com/em-metrics:1.0.0"
  config = { auth = { no_auth = true } }
}

run "it_may_do_nothing_but_serve" {
  command = plan

  assert {
    condition = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.securityContext == {
      runAsNonRoot        = true
      runAsUser           = 65532
      runAsGroup          = 65532
      fsGroup             = 65532
      fsGroupChangePolicy = "OnRootMismatch"
      seccompProfile      = { type = "RuntimeDefault" }
    }
    error_message = "the pod"
  }
  assert {
    condition = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].securityContext == {
      runAsNonRoot             = true
      readOnlyRootFilesystem   = true
      allowPrivilegeEscalation = false
      capabilities             = { drop = ["ALL"] }
    }
    error_message = "the container"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.automountServiceAccountToken == false && nonsensitive(yamldecode(kubectl_manifest.service_account.yaml_body)).automountServiceAccountToken == false
    error_message = "no token of the cluster"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.namespace[0].yaml_body)).metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "the namespace holds it to that"
  }
}

run "it_is_asked_whether_it_is_well" {
  command = plan

  assert {
    condition = [for probe in ["startupProbe", "livenessProbe", "readinessProbe"] :
      nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0][probe].httpGet.path
    ] == ["/health/live", "/health/live", "/health/ready"]
    error_message = "a pod whose database is away gets no requests, and is not restarted"
  }
}

run "the_configuration_is_a_file" {
  command = plan

  assert {
    condition     = jsondecode(nonsensitive(yamldecode(kubectl_manifest.config[0].yaml_body)).data["config.json"]) == { auth = { no_auth = true } }
    error_message = "as it was given"
  }
  assert {
    condition     = contains(nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].env, { name = "CONFIG", value = "/etc/em-metrics/config.json" })
    error_message = "and it is named"
  }
}

run "another_configuration_replaces_the_pods" {
  command = plan

  variables {
    config = { auth = { no_auth = true }, log = { filter = "debug" } }
  }

  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.metadata.annotations["em-metrics/config"] != sha256(jsonencode({ auth = { no_auth = true } }))
    error_message = "else they would go on with the old one"
  }
}

run "another_token_replaces_the_pods" {
  command = plan

  variables {
    tokens = [{ name = "ci", token = "0123456789abcdef" }]
  }

  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.metadata.annotations["em-metrics/secrets"] != substr(sha256(jsonencode([{}, []])), 0, 8)
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
    condition     = nonsensitive(yamldecode(kubectl_manifest.network_policy[0].yaml_body)).spec.ingress[0].from == [{ namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = "ingress-nginx" } } }]
    error_message = "who may come"
  }
  assert {
    condition = nonsensitive(yamldecode(kubectl_manifest.network_policy[0].yaml_body)).spec.egress[1] == {
      ports = [{ port = 6432, protocol = "TCP" }], to = [{ ipBlock = { cidr = "10.0.0.0/8" } }]
    }
    error_message = "where it may go"
  }
}

run "the_way_in_is_by_tls" {
  command = plan

  variables {
    ingress = { host = "em-metrics.example.com", class_name = "nginx" }
  }

  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.ingress[0].yaml_body)).spec.tls == [{ hosts = ["em-metrics.example.com"], secretName = "em-metrics-tls" }]
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
    condition     = length(kubectl_manifest.ingress) == 0 && length(kubectl_manifest.service_monitor) == 0 && output.url == null
    error_message = "neither an ingress nor a service monitor"
  }
}

run "totals_of_one_pod_are_scraped" {
  command = plan

  variables {
    service_monitor = {}
  }

  assert {
    condition     = !contains(keys(nonsensitive(yamldecode(kubectl_manifest.service_monitor[0].yaml_body)).spec.endpoints[0]), "metricRelabelings")
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
    condition     = nonsensitive(yamldecode(kubectl_manifest.service_monitor[0].yaml_body)).spec.endpoints[0].metricRelabelings[0].action == "drop"
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

  expect_failures = [kubectl_manifest.deployment]
}

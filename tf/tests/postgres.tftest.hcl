# Several pods in front of a PostgreSQL.

mock_provider "kubectl" {}

variables {
  image        = "registry.example.com/em-metrics:1.0.0"
  tokens       = [{ name = "ci", token = "0123456789abcdef" }]
  database     = "postgres"
  database_url = "postgres://em:pa%2Fss@db.example.com/em"
  replicas     = 3
}

run "three_pods_that_are_replaced_one_by_one" {
  command = plan

  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.replicas == 3
    error_message = "three pods"
  }
  assert {
    condition = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.strategy == {
      type = "RollingUpdate", rollingUpdate = { maxSurge = 1, maxUnavailable = 0 }
    }
    error_message = "none goes before its successor serves"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].lifecycle.preStop.sleep.seconds == 10
    error_message = "it serves until no router sends it anything"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.disruption_budget[0].yaml_body)).spec.maxUnavailable == 1
    error_message = "one at a time may be taken away"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.topologySpreadConstraints[*].topologyKey == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    error_message = "over zones and nodes"
  }
  assert {
    condition     = length(kubectl_manifest.volume) == 0 && !contains(nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.volumes[*].name, "data")
    error_message = "no volume"
  }
  assert {
    condition     = !contains(nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].env[*].name, "SQLITE_DB")
    error_message = "a second database would be refused by em-metrics"
  }
}

run "secrets_are_in_secrets_only" {
  command = plan

  assert {
    condition     = base64decode(nonsensitive(yamldecode(kubectl_manifest.secret[0].yaml_body)).data.DATABASE_URL) == "postgres://em:pa%2Fss@db.example.com/em"
    error_message = "the address of the database"
  }
  assert {
    condition     = jsondecode(base64decode(nonsensitive(yamldecode(kubectl_manifest.config_secret[0].yaml_body)).data["config.json"])).auth.tokens == [{ name = "ci", token = "0123456789abcdef", role = "writer" }]
    error_message = "the tokens, with what they may do"
  }
  assert {
    condition     = length(kubectl_manifest.config) == 0
    error_message = "no config map, as the file has tokens in it"
  }
  assert {
    condition     = !strcontains(nonsensitive(kubectl_manifest.deployment.yaml_body), "pa%2Fss") && !strcontains(nonsensitive(kubectl_manifest.deployment.yaml_body), "0123456789abcdef")
    error_message = "none in the deployment"
  }
}

run "secrets_that_are_there_are_used" {
  command = plan

  variables {
    database_url           = null
    tokens                 = []
    existing_secret        = "em-metrics-env"
    existing_config_secret = "em-metrics-file"
  }

  assert {
    condition     = length(kubectl_manifest.secret) + length(kubectl_manifest.config_secret) + length(kubectl_manifest.config) == 0
    error_message = "none is made"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].envFrom == [{ secretRef = { name = "em-metrics-env" } }]
    error_message = "the variables come from it"
  }
  assert {
    condition = contains(
      [for volume in nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.volumes : try(volume.secret.secretName, "")],
      "em-metrics-file",
    )
    error_message = "the file comes from it"
  }
}

run "an_autoscaler_decides_alone" {
  command = plan

  variables {
    autoscaling = { min_replicas = 2, max_replicas = 6 }
  }

  assert {
    condition     = !contains(keys(nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec), "replicas")
    error_message = "else each apply would undo what it did"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.autoscaler[0].yaml_body)).spec.maxReplicas == 6
    error_message = "as many as were said"
  }
  assert {
    condition     = length(kubectl_manifest.disruption_budget) == 1
    error_message = "there are always two, so one may go"
  }
}

run "one_pod_has_no_budget" {
  command = plan

  variables {
    replicas = 1
  }

  assert {
    condition     = length(kubectl_manifest.disruption_budget) == 0
    error_message = "nor needs it"
  }
}

run "an_address_is_needed" {
  command = plan

  variables {
    database_url = null
  }

  expect_failures = [var.database_url]
}

run "one_address_is_enough" {
  command = plan

  variables {
    existing_secret = "em-metrics-env"
  }

  expect_failures = [var.database_url]
}

run "an_autoscaler_needs_its_measure" {
  command = plan

  variables {
    autoscaling = { min_replicas = 2, max_replicas = 6 }
    resources   = { requests = { memory = "256Mi" } }
  }

  expect_failures = [var.autoscaling]
}

run "a_lower_most_than_least_is_refused" {
  command = plan

  variables {
    autoscaling = { min_replicas = 3, max_replicas = 2 }
  }

  expect_failures = [var.autoscaling]
}

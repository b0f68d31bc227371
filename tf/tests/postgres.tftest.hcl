# Several pods in front of a PostgreSQL.

mock_provider "kubernetes" {}

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
    condition     = kubernetes_deployment_v1.deployment.spec[0].replicas == "3"
    error_message = "three pods"
  }
  assert {
    condition = kubernetes_deployment_v1.deployment.spec[0].strategy[0].type == "RollingUpdate" && kubernetes_deployment_v1.deployment.spec[0].strategy[0].rolling_update[0] == {
      max_surge = "1", max_unavailable = "0"
    }
    error_message = "none goes before its successor serves"
  }
  assert {
    condition     = { for entry in kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].env : entry.name => entry.value }.EM_METRICS_DRAIN_SECONDS == "10"
    error_message = "it serves until no router sends it anything"
  }
  assert {
    condition     = kubernetes_pod_disruption_budget_v1.budget[0].spec[0].max_unavailable == "1"
    error_message = "one at a time may be taken away"
  }
  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].topology_spread_constraint[*].topology_key == tolist(["topology.kubernetes.io/zone", "kubernetes.io/hostname"])
    error_message = "over zones and nodes"
  }
  assert {
    condition     = length(kubernetes_persistent_volume_claim_v1.volume) == 0 && !contains(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].volume[*].name, "data")
    error_message = "no volume"
  }
  assert {
    condition     = !contains(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].env[*].name, "SQLITE_DB")
    error_message = "a second database would be refused by em-metrics"
  }
}

run "secrets_are_in_secrets_only" {
  assert {
    condition     = kubernetes_secret_v1.secret[0].data.DATABASE_URL == "postgres://em:pa%2Fss@db.example.com/em"
    error_message = "the address of the database"
  }
  assert {
    condition     = jsondecode(kubernetes_secret_v1.config[0].data["config.json"]).auth.tokens == [{ name = "ci", token = "0123456789abcdef", role = "writer" }]
    error_message = "the tokens, with what they may do"
  }
  assert {
    condition     = length(kubernetes_config_map_v1.config) == 0
    error_message = "no config map, as the file has tokens in it"
  }
  assert {
    condition     = !strcontains(jsonencode(kubernetes_deployment_v1.deployment.spec[0]), "pa%2Fss") && !strcontains(jsonencode(kubernetes_deployment_v1.deployment.spec[0]), "0123456789abcdef")
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
    condition     = length(kubernetes_secret_v1.secret) + length(kubernetes_secret_v1.config) + length(kubernetes_config_map_v1.config) == 0
    error_message = "none is made"
  }
  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].env_from[*].secret_ref[0].name == tolist(["em-metrics-env"])
    error_message = "the variables come from it"
  }
  assert {
    condition     = contains(flatten(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].volume[*].secret[*].secret_name), "em-metrics-file")
    error_message = "the file comes from it"
  }
}

run "an_autoscaler_decides_alone" {
  command = plan

  variables {
    replicas    = 5
    autoscaling = { min_replicas = 2, max_replicas = 6 }
  }

  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].replicas == "3"
    error_message = "as many as there are stay, else each apply would undo what it did"
  }
  assert {
    condition     = kubernetes_horizontal_pod_autoscaler_v2.autoscaler[0].spec[0].max_replicas == 6
    error_message = "as many as were said"
  }
  assert {
    condition     = length(kubernetes_pod_disruption_budget_v1.budget) == 1
    error_message = "there are always two, so one may go"
  }
}

run "the_volume_of_a_former_sqlite_may_stay" {
  command = plan

  variables {
    volume = { unused = true }
  }

  assert {
    condition     = length(kubernetes_persistent_volume_claim_v1.volume) == 1 && module.keep[0].keeps
    error_message = "it is there still"
  }
  assert {
    condition     = !contains(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].volume[*].name, "data")
    error_message = "no pod has it"
  }
}

run "one_pod_has_no_budget" {
  command = plan

  variables {
    replicas = 1
  }

  assert {
    condition     = length(kubernetes_pod_disruption_budget_v1.budget) == 0
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

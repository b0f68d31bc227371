# One pod and its file.

mock_provider "kubernetes" {}

variables {
  image  = "registry.example.com/em-metrics:1.0.0"
  tokens = [{ name = "ci", token = "0123456789abcdef" }]
}

run "one_pod_with_its_file_on_a_volume" {
  command = plan

  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].replicas == "1"
    error_message = "one pod"
  }
  assert {
    condition     = kubernetes_deployment_v1.deployment.spec[0].strategy[0].type == "Recreate"
    error_message = "the old pod has to be gone before the new one opens the file"
  }
  assert {
    condition     = !contains(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].env[*].name, "EM_METRICS_DRAIN_SECONDS")
    error_message = "and it ends at once"
  }
  assert {
    condition     = contains(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].volume[*].name, "data")
    error_message = "the volume is in the pod"
  }
  assert {
    condition     = { for entry in kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].container[0].env : entry.name => entry.value }.SQLITE_DB == "/data/em-metrics.db"
    error_message = "the file is on the volume"
  }
  assert {
    condition     = kubernetes_persistent_volume_claim_v1.volume[0].spec[0].resources[0].requests.storage == "5Gi"
    error_message = "a claim is made"
  }
  assert {
    condition     = module.keep[0].keeps
    error_message = "a destroy leaves the database unless it is told otherwise"
  }
  assert {
    condition     = length(kubernetes_pod_disruption_budget_v1.budget) + length(kubernetes_horizontal_pod_autoscaler_v2.autoscaler) == 0
    error_message = "nothing that makes sense for several pods only"
  }
  assert {
    condition     = length(kubernetes_secret_v1.secret) == 0
    error_message = "there are no secret variables"
  }
}

run "the_volume_may_go_with_the_rest" {
  command = plan

  variables {
    volume = { size = "1Gi", storage_class_name = "fast", keep = false }
  }

  assert {
    condition     = !module.keep[0].keeps
    error_message = "keep = false: it goes"
  }
  assert {
    condition     = kubernetes_persistent_volume_claim_v1.volume[0].spec[0].storage_class_name == "fast"
    error_message = "the class is asked for"
  }
}

run "a_claim_that_is_there_is_used" {
  command = plan

  variables {
    volume = { existing_claim = "restored" }
  }

  assert {
    condition     = length(kubernetes_persistent_volume_claim_v1.volume) == 0
    error_message = "no claim is made"
  }
  assert {
    condition     = contains(flatten(kubernetes_deployment_v1.deployment.spec[0].template[0].spec[0].volume[*].persistent_volume_claim[*].claim_name), "restored")
    error_message = "the one that is there is mounted"
  }
}

run "two_pods_are_refused" {
  command = plan

  variables {
    replicas = 2
  }

  expect_failures = [var.replicas]
}

run "an_autoscaler_is_refused" {
  command = plan

  variables {
    autoscaling = { min_replicas = 1, max_replicas = 3 }
  }

  expect_failures = [var.autoscaling]
}

run "a_disruption_budget_is_refused" {
  command = plan

  variables {
    pod_disruption_budget = true
  }

  expect_failures = [var.pod_disruption_budget]
}

run "a_database_url_is_refused" {
  command = plan

  variables {
    database_url = "postgres://em:secret@db.example.com/em"
  }

  expect_failures = [var.database_url]
}

run "a_volume_for_many_nodes_is_refused" {
  command = plan

  variables {
    volume = { access_modes = ["ReadWriteMany"] }
  }

  expect_failures = [var.volume]
}

# One pod and its file.

mock_provider "kubectl" {}

variables {
  image  = "registry.example.com/em-metrics:1.0.0"
  tokens = [{ name = "ci", token = "0123456789abcdef" }]
}

run "one_pod_with_its_file_on_a_volume" {
  command = plan

  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.replicas == 1
    error_message = "one pod"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.strategy == { type = "Recreate" }
    error_message = "the old pod has to be gone before the new one opens the file"
  }
  assert {
    condition     = !contains(keys(nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0]), "lifecycle")
    error_message = "and it ends at once"
  }
  assert {
    condition     = contains(nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.volumes[*].name, "data")
    error_message = "the volume is in the pod"
  }
  assert {
    condition = contains(
      nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.containers[0].env,
      { name = "SQLITE_DB", value = "/data/em-metrics.db" },
    )
    error_message = "the file is on the volume"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.volume[0].yaml_body)).spec.resources.requests.storage == "5Gi"
    error_message = "a claim is made"
  }
  assert {
    condition     = kubectl_manifest.volume[0].apply_only && kubectl_manifest.namespace[0].apply_only
    error_message = "a destroy leaves the database unless it is told otherwise, and the namespace that it is in"
  }
  assert {
    condition     = length(kubectl_manifest.disruption_budget) + length(kubectl_manifest.autoscaler) == 0
    error_message = "nothing that makes sense for several pods only"
  }
  assert {
    condition     = length(kubectl_manifest.secret) == 0
    error_message = "there are no secret variables"
  }
}

run "the_volume_may_go_with_the_rest" {
  command = plan

  variables {
    volume = { size = "1Gi", storage_class_name = "fast", keep = false }
  }

  assert {
    condition     = !kubectl_manifest.volume[0].apply_only && !kubectl_manifest.namespace[0].apply_only
    error_message = "keep = false: it goes"
  }
  assert {
    condition     = nonsensitive(yamldecode(kubectl_manifest.volume[0].yaml_body)).spec.storageClassName == "fast"
    error_message = "the class is asked for"
  }
}

run "a_claim_that_is_there_is_used" {
  command = plan

  variables {
    volume = { existing_claim = "restored" }
  }

  assert {
    condition     = length(kubectl_manifest.volume) == 0
    error_message = "no claim is made"
  }
  assert {
    condition = contains(
      [for volume in nonsensitive(yamldecode(kubectl_manifest.deployment.yaml_body)).spec.template.spec.volumes : try(volume.persistentVolumeClaim.claimName, "")],
      "restored",
    )
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

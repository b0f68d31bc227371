# What is refused, and says why.

mock_provider "kubernetes" {}

variables {
  image  = "registry.example.com/em-metrics:1.0.0"
  tokens = [{ name = "ci", token = "0123456789abcdef" }]
}

run "an_image_that_may_be_any" {
  command = plan
  variables {
    image = "registry.example.com/em-metrics:latest"
  }
  expect_failures = [var.image]
}

run "an_image_without_a_tag" {
  command = plan
  variables {
    image = "registry.example.com:5000/em-metrics"
  }
  expect_failures = [var.image]
}

run "a_token_in_the_config_map" {
  command = plan
  variables {
    config = { auth = { tokens = [{ name = "ci", token = "0123456789abcdef" }] } }
  }
  expect_failures = [var.config]
}

run "a_password_in_the_config_map" {
  command = plan
  variables {
    config = { storage = { database_url = "postgres://em:secret@db.example.com/em" } }
  }
  expect_failures = [var.config]
}

run "another_port_than_the_service_has" {
  command = plan
  variables {
    config = { server = { port = 8080 } }
  }
  expect_failures = [var.config]
}

run "another_drain_than_the_pod_is_given_time_for" {
  command = plan
  variables {
    config = { server = { drain_seconds = 100 } }
  }
  expect_failures = [var.config]
}

run "nor_by_its_variable" {
  command = plan
  variables {
    environment = { EM_METRICS_DRAIN_SECONDS = "100" }
  }
  expect_failures = [var.environment]
}

run "a_secret_among_open_variables" {
  command = plan
  variables {
    environment = { OTEL_EXPORTER_OTLP_HEADERS = "authorization=secret" }
  }
  expect_failures = [var.environment]
}

run "a_short_token" {
  command = plan
  variables {
    tokens = [{ name = "ci", token = "secret" }]
  }
  expect_failures = [var.tokens]
}

run "two_tokens_of_one_name" {
  command = plan
  variables {
    tokens = [{ name = "ci", token = "0123456789abcdef" }, { name = "ci", token = "fedcba9876543210" }]
  }
  expect_failures = [var.tokens]
}

run "a_role_that_there_is_not" {
  command = plan
  variables {
    tokens = [{ name = "ci", token = "0123456789abcdef", role = "owner" }]
  }
  expect_failures = [var.tokens]
}

run "a_host_with_its_scheme" {
  command = plan
  variables {
    ingress = { host = "https://em-metrics.example.com" }
  }
  expect_failures = [var.ingress]
}

run "secrets_from_two_places" {
  command = plan
  variables {
    existing_secret    = "em-metrics-env"
    secret_environment = { EM_METRICS_BASIC_AUTH_PASSWORD = "secret" }
  }
  expect_failures = [var.secret_environment]
}

run "a_token_instead_of_all_tokens" {
  command = plan
  variables {
    secret_environment = { EM_METRICS_TOKEN_AUTH = "fedcba9876543210" }
  }
  expect_failures = [var.secret_environment]
}

run "an_end_before_the_drain_is_over" {
  command = plan
  variables {
    drain_seconds             = 100
    termination_grace_seconds = 110
  }
  expect_failures = [var.termination_grace_seconds]
}

run "a_peer_that_is_nobody" {
  command = plan
  variables {
    network_policy = { from = [{}] }
  }
  expect_failures = [var.network_policy]
}

run "a_name_that_kubernetes_refuses" {
  command = plan
  variables {
    name = "EM_metrics"
  }
  expect_failures = [var.name]
}

run "a_database_that_there_is_not" {
  command = plan
  variables {
    database = "mysql"
  }
  expect_failures = [var.database]
}

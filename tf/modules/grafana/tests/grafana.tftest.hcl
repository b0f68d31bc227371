mock_provider "kubernetes" {}

variables {
  namespace      = "em-metrics"
  admin_password = "0123456789abcdef"
}

run "it_asks_where_it_is_told" {
  command = plan

  variables {
    prometheus_url = "http://prometheus.monitoring.svc:9090"
    em_metrics_url = "http://em-metrics.em-metrics.svc:3000"
    postgres       = { host = "db.example.com", database = "metrics", password = "secret" }
  }

  assert {
    condition     = yamldecode(output.sources["prometheus.yml"]).datasources[0].url == "http://prometheus.monitoring.svc:9090"
    error_message = "Prometheus"
  }
  assert {
    condition = alltrue([for source in yamldecode(output.sources["em-metrics.yml"]).datasources : (
      source.type == "grafana-postgresql-datasource"
      ? source.url == "db.example.com:5432" && source.jsonData.database == "metrics" && source.jsonData.sslmode == "require"
      : source.url == "http://em-metrics.em-metrics.svc:3000" && source.jsonData.allowedHosts == ["http://em-metrics.em-metrics.svc:3000"]
    )])
    error_message = "em-metrics and its database"
  }
  assert {
    condition     = !strcontains(jsonencode(output.sources), "secret")
    error_message = "passwords are not in a config map"
  }
}

run "a_short_password_is_refused" {
  command = plan

  variables {
    admin_password = "admin"
  }

  expect_failures = [var.admin_password]
}

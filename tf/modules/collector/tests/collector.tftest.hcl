mock_provider "kubernetes" {}

variables {
  namespace = "em-metrics"
}

run "it_sends_to_the_prometheus_that_is_named" {
  command = plan

  variables {
    prometheus_url = "http://prometheus.monitoring.svc:9090"
  }

  assert {
    condition     = yamldecode(output.config).exporters["otlp_http/prometheus"].endpoint == "http://prometheus.monitoring.svc:9090/api/v1/otlp"
    error_message = "where the series go to"
  }
  assert {
    condition     = output.url == "http://collector.em-metrics.svc:4318"
    error_message = "where em-metrics sends them"
  }
}

run "a_path_after_it_is_refused" {
  command = plan

  variables {
    prometheus_url = "http://prometheus:9090/api/v1/otlp"
  }

  expect_failures = [var.prometheus_url]
}

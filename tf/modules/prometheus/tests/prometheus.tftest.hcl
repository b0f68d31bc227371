mock_provider "kubernetes" {}

variables {
  namespace = "em-metrics"
}

run "it_looks_for_each_pod" {
  command = plan

  variables {
    em_metrics_pods = "metrics-pods"
  }

  assert {
    condition = [for job in yamldecode(output.config).scrape_configs : try(job.dns_sd_configs, null) if job.job_name == "em-metrics-service"] == [
      [{ names = ["metrics-pods"], type = "A", port = 3000 }]
    ]
    error_message = "behind a service each scrape would meet another pod"
  }
}

run "a_time_without_a_unit_is_refused" {
  command = plan

  variables {
    retention = "2"
  }

  expect_failures = [var.retention]
}

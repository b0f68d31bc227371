# What only a real cluster can say: that it takes every field, and every change. `scripts/terraform` has one:
#
#   terraform test -test-directory=tests/cluster

provider "kubernetes" {}

variables {
  image     = "registry.example.com/em-metrics:1.0.0"
  namespace = "em-metrics-test"
  tokens    = [{ name = "ci", token = "0123456789abcdef" }]
  volume    = { keep = false }
}

run "sqlite" {
  assert {
    condition     = kubernetes_deployment_v1.deployment.metadata[0].uid != ""
    error_message = "it is there"
  }
}

run "then_postgresql_with_everything" {
  variables {
    database     = "postgres"
    database_url = "postgres://em:secret@db.example.com/em"
    autoscaling  = { min_replicas = 2, max_replicas = 5 }
    labels       = { "cost-centre" = "42" }
    config       = { teams = { red = { projects = ["shop"], users = ["ann"] } } }
    environment  = { EM_METRICS_LOG = "debug" }

    image_pull_policy  = "Always"
    image_pull_secrets = ["registry"]
    node_selector      = { "kubernetes.io/arch" = "amd64" }
    tolerations        = [{ key = "spot", operator = "Exists", effect = "NoExecute", toleration_seconds = 30 }]
    secret_environment = { OTEL_EXPORTER_OTLP_HEADERS = "authorization=secret" }
    collector_url      = "http://collector:4318"

    service = { type = "NodePort", port = 80, annotations = { "example.com/note" = "x" } }
    ingress = {
      host            = "em-metrics.example.com"
      class_name      = "nginx"
      tls_secret_name = "wildcard"
      annotations     = { "cert-manager.io/cluster-issuer" = "letsencrypt" }
    }
    network_policy = {
      from         = [{ namespace_labels = { "kubernetes.io/metadata.name" = "ingress-nginx" } }, { pod_labels = { app = "pipelines" } }]
      egress_ports = [6432]
      egress_cidrs = ["10.0.0.0/8"]
    }
    service_monitor = { labels = { release = "prometheus" }, token_secret = { name = "reader", key = "token" } }
  }

  assert {
    condition     = output.url == "https://em-metrics.example.com" && output.cluster_url == "http://em-metrics.em-metrics-test.svc:80"
    error_message = "its addresses"
  }
}

run "then_as_many_pods_as_are_said" {
  variables {
    database              = "postgres"
    existing_secret       = "em-metrics-env"
    replicas              = 2
    pod_disruption_budget = false
    drain_seconds         = 0
    network_policy        = { enabled = false }
    spread_over           = []
  }

  assert {
    condition     = length(kubernetes_horizontal_pod_autoscaler_v2.autoscaler) + length(kubernetes_ingress_v1.ingress) + length(kubernetes_pod_disruption_budget_v1.budget) == 0
    error_message = "what is no longer asked for is gone"
  }
}

run "and_back_to_sqlite" {}

# Everything, for a cluster that has none of it: em-metrics with its file on a volume, a collector, a Prometheus, and a
# Grafana with the dashboards.
#
#   export KUBE_CONFIG_PATH=~/.kube/config
#   terraform init
#   terraform apply -var image=registry.example.com/em-metrics:1.0.0

terraform {
  required_version = ">= 1.9"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 3.0"
    }
  }
}

# which cluster: the kubeconfig that KUBE_CONFIG_PATH names
provider "kubernetes" {}

module "em_metrics" {
  source = "../.."

  image            = var.image
  collector_url    = module.collector.url
  volume           = { keep = var.keep_volumes }
  wait_for_rollout = var.wait_for_rollout

  tokens = [
    { name = "pipelines", token = var.writer_token, role = "writer" },
    { name = "grafana", token = var.reader_token, role = "reader" },
  ]
}

module "collector" {
  source = "../../modules/collector"

  namespace      = module.em_metrics.namespace
  prometheus_url = module.prometheus.url
}

module "prometheus" {
  source = "../../modules/prometheus"

  namespace       = module.em_metrics.namespace
  em_metrics_pods = module.em_metrics.pods
  volume          = { keep = var.keep_volumes }
}

module "grafana" {
  source = "../../modules/grafana"

  namespace        = module.em_metrics.namespace
  admin_password   = var.grafana_password
  prometheus_url   = module.prometheus.url
  em_metrics_url   = module.em_metrics.cluster_url
  em_metrics_token = var.reader_token
}

output "cluster_url" {
  description = "The address inside the cluster."
  value       = module.em_metrics.cluster_url
}

output "look" {
  description = "How to look at the dashboards, on http://localhost:3001."
  value       = "kubectl -n ${module.em_metrics.namespace} port-forward service/${module.grafana.service} 3001:3000"
}

# Three pods in front of a PostgreSQL that somebody else runs, behind an ingress with TLS. The series are pushed to a
# collector that is there.
#
#   export KUBE_CONFIG_PATH=~/.kube/config
#   terraform init
#   terraform apply -var-file=my.tfvars

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
  wait_for_rollout = var.wait_for_rollout

  database     = "postgres"
  database_url = var.database_url
  replicas     = 3

  tokens = [
    { name = "pipelines", token = var.writer_token, role = "writer" },
    { name = "dashboards", token = var.reader_token, role = "reader" },
  ]
  config = {
    teams = { checkout = { projects = ["shop", "cart"], users = [] } }
  }

  collector_url = var.collector_url
  # what it pushes must not be scraped as well; how the pods are doing is
  service_monitor = var.service_monitor ? {} : null

  ingress = {
    host        = var.host
    class_name  = var.ingress_class_name
    annotations = { "cert-manager.io/cluster-issuer" = var.cluster_issuer }
  }

  resources = {
    requests = { cpu = "250m", memory = "512Mi" }
    limits   = { memory = "1Gi" }
  }
}

# The smallest installation: one pod, and its file on a volume. It needs nothing that is there already.
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

variable "image" {
  description = "The image of em-metrics."
  type        = string
}

variable "token" {
  description = "The token that pipelines send. `openssl rand -hex 32` makes one; TF_VAR_token keeps it out of files."
  type        = string
  sensitive   = true
}

variable "keep_volume" {
  description = "Whether `terraform destroy` leaves the database."
  type        = bool
  default     = true
}

variable "wait_for_rollout" {
  description = "Whether an apply ends only when the pod is ready."
  type        = bool
  default     = true
}

module "em_metrics" {
  source = "../.."

  image            = var.image
  tokens           = [{ name = "pipelines", token = var.token, role = "writer" }]
  volume           = { size = "5Gi", keep = var.keep_volume }
  wait_for_rollout = var.wait_for_rollout
}

output "cluster_url" {
  description = "The address inside the cluster. From your machine: kubectl -n em-metrics port-forward service/em-metrics 3000"
  value       = module.em_metrics.cluster_url
}

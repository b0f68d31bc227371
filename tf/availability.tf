# More than one pod: how many, where, and how many may be away.

variable "autoscaling" {
  description = "As many pods as the load needs, from `min_replicas` to `max_replicas`: aims at `cpu_percent` of the CPU that is asked for. null: `replicas`. Not with SQLite."
  type = object({
    min_replicas = number
    max_replicas = number
    cpu_percent  = optional(number, 70)
  })
  default = null

  validation {
    condition     = var.autoscaling == null || try(1 <= var.autoscaling.min_replicas && var.autoscaling.min_replicas <= var.autoscaling.max_replicas, false)
    error_message = "autoscaling: 1 <= min_replicas <= max_replicas."
  }
  validation {
    condition     = try(var.autoscaling.cpu_percent >= 1, var.autoscaling == null)
    error_message = "autoscaling.cpu_percent: 1 or more."
  }
  validation {
    condition     = var.autoscaling == null || var.database != "sqlite"
    error_message = "autoscaling: SQLite is for one process. For more, set database = \"postgres\"."
  }
  validation {
    condition     = var.autoscaling == null || contains(keys(var.resources.requests), "cpu")
    error_message = "autoscaling: resources.requests needs cpu, as that is what it is a percentage of."
  }
}

variable "pod_disruption_budget" {
  description = "Whether at most one pod at a time is taken away when nodes are drained. null: when there is more than one. While the database is away, a drain waits for it. Not with SQLite: a drain would wait for ever."
  type        = bool
  default     = null

  validation {
    condition     = var.pod_disruption_budget != true || var.database != "sqlite"
    error_message = "pod_disruption_budget: SQLite has one pod, and a node that it is on could never be drained. Leave it out."
  }
}

variable "spread_over" {
  description = "Labels of nodes that the pods are spread over, as evenly as there is room."
  type        = list(string)
  default     = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
  nullable    = false
}

locals {
  least_pods = var.autoscaling == null ? var.replicas : var.autoscaling.min_replicas
  has_budget = var.pod_disruption_budget == null ? local.least_pods > 1 : var.pod_disruption_budget
}

resource "kubernetes_horizontal_pod_autoscaler_v2" "autoscaler" {
  count = var.autoscaling == null ? 0 : 1

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  spec {
    min_replicas = var.autoscaling.min_replicas
    max_replicas = var.autoscaling.max_replicas

    scale_target_ref {
      api_version = "apps/v1"
      kind        = "Deployment"
      name        = kubernetes_deployment_v1.deployment.metadata[0].name
    }
    metric {
      type = "Resource"

      resource {
        name = "cpu"

        target {
          type                = "Utilization"
          average_utilization = var.autoscaling.cpu_percent
        }
      }
    }
  }
}

resource "kubernetes_pod_disruption_budget_v1" "budget" {
  count = local.has_budget ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  spec {
    max_unavailable = "1"

    selector {
      match_labels = local.selector
    }
  }
}

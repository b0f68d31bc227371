# More than one pod: how many, where, and how many may be away.

variable "autoscaling" {
  description = "As many pods as the load needs, from `min_replicas` to `max_replicas`: aims at `cpu_percent` of the CPU that is asked for. null: `replicas`. Not with SQLite. Switched on for pods that run, it begins with one: do it at a quiet hour."
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
    condition     = var.autoscaling == null || var.database != "sqlite"
    error_message = "autoscaling: SQLite is for one process. For more, set database = \"postgres\"."
  }
  validation {
    condition     = var.autoscaling == null || contains(keys(var.resources.requests), "cpu")
    error_message = "autoscaling: resources.requests needs cpu, as that is what it is a percentage of."
  }
}

variable "pod_disruption_budget" {
  description = "Whether at most one pod at a time is taken away when nodes are drained. null: when there is more than one. Not with SQLite: a drain would wait for ever."
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

  placement = merge(
    local.sqlite || length(var.spread_over) == 0 ? null : {
      topologySpreadConstraints = [for key in var.spread_over : {
        topologyKey       = key
        maxSkew           = 1
        whenUnsatisfiable = "ScheduleAnyway"
        labelSelector     = { matchLabels = local.selector }
        # the pods of the old version do not count while a new one is rolled out
        matchLabelKeys = ["pod-template-hash"]
      }]
    },
    length(var.node_selector) == 0 ? null : { nodeSelector = var.node_selector },
    length(var.tolerations) == 0 ? null : {
      tolerations = [for toleration in var.tolerations : {
        for key, value in {
          key               = toleration.key
          operator          = toleration.operator
          value             = toleration.value
          effect            = toleration.effect
          tolerationSeconds = toleration.toleration_seconds
        } : key => value if value != null
      }]
    },
    length(var.image_pull_secrets) == 0 ? null : { imagePullSecrets = [for name in var.image_pull_secrets : { name = name }] },
  )
}

resource "kubectl_manifest" "autoscaler" {
  count             = var.autoscaling == null ? 0 : 1
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.deployment]

  yaml_body = yamlencode({
    apiVersion = "autoscaling/v2"
    kind       = "HorizontalPodAutoscaler"
    metadata   = local.metadata
    spec = {
      scaleTargetRef = { apiVersion = "apps/v1", kind = "Deployment", name = var.name }
      minReplicas    = var.autoscaling.min_replicas
      maxReplicas    = var.autoscaling.max_replicas
      metrics = [{
        type     = "Resource"
        resource = { name = "cpu", target = { type = "Utilization", averageUtilization = var.autoscaling.cpu_percent } }
      }]
    }
  })
}

resource "kubectl_manifest" "disruption_budget" {
  count             = local.has_budget ? 1 : 0
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]

  yaml_body = yamlencode({
    apiVersion = "policy/v1"
    kind       = "PodDisruptionBudget"
    metadata   = local.metadata
    spec = {
      maxUnavailable = 1
      selector       = { matchLabels = local.selector }
      # what does not serve need not be waited for
      unhealthyPodEvictionPolicy = "AlwaysAllow"
    }
  })
}

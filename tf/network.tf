# Where the pods are reached, and whom they may speak to.

variable "service" {
  description = "The service in front of the pods: `type` (ClusterIP, NodePort or LoadBalancer), `port`, `annotations`."
  type = object({
    type        = optional(string, "ClusterIP")
    port        = optional(number, 3000)
    annotations = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["ClusterIP", "NodePort", "LoadBalancer"], var.service.type)
    error_message = "service.type: ClusterIP, NodePort or LoadBalancer."
  }
  validation {
    condition     = var.service.port >= 1 && var.service.port <= 65535
    error_message = "service.port: 1 to 65535."
  }
}

variable "network_policy" {
  description = <<-EOT
    Who may open connections to the pods, and to whom they may; where the cluster's network heeds it.
    - `from`: pods by the labels of their namespace, their own, or both; empty: all pods, and what comes from outside
    - `egress_ports`: TCP ports that the pods may open, besides DNS: the database's and the collector's
    - `egress_cidrs`: networks that these are in; empty: anywhere
  EOT
  type = object({
    enabled = optional(bool, true)
    from = optional(list(object({
      namespace_labels = optional(map(string))
      pod_labels       = optional(map(string))
    })), [])
    egress_ports = optional(list(number), [5432, 4317, 4318])
    egress_cidrs = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for peer in var.network_policy.from : peer.namespace_labels != null || peer.pod_labels != null])
    error_message = "network_policy.from: each needs namespace_labels, pod_labels, or both."
  }
  validation {
    condition     = alltrue([for cidr in var.network_policy.egress_cidrs : can(cidrhost(cidr, 0))])
    error_message = "network_policy.egress_cidrs: networks such as 10.0.0.0/8."
  }
}

resource "kubernetes_service_v1" "service" {
  metadata {
    name        = var.name
    namespace   = local.namespace
    labels      = local.labels
    annotations = var.service.annotations
  }

  spec {
    type     = var.service.type
    selector = local.selector

    port {
      name        = "http"
      port        = var.service.port
      target_port = "http"
    }
  }

  # a load balancer may take its time, and an apply does not need its address
  wait_for_load_balancer = false
}

# All pods by one name, for a Prometheus that finds them by DNS.
resource "kubernetes_service_v1" "pods" {
  metadata {
    name      = "${var.name}-pods"
    namespace = local.namespace
    labels    = merge(local.labels, local.scraped)
  }

  spec {
    cluster_ip = "None"
    selector   = local.selector

    port {
      name        = "http"
      port        = local.port
      target_port = "http"
    }
  }
}

resource "kubernetes_network_policy_v1" "pods" {
  count = var.network_policy.enabled ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  spec {
    policy_types = ["Ingress", "Egress"]

    pod_selector {
      match_labels = local.selector
    }

    ingress {
      ports {
        port     = "http"
        protocol = "TCP"
      }
      dynamic "from" {
        for_each = var.network_policy.from

        content {
          dynamic "namespace_selector" {
            for_each = from.value.namespace_labels[*]

            content {
              match_labels = namespace_selector.value
            }
          }
          dynamic "pod_selector" {
            for_each = from.value.pod_labels[*]

            content {
              match_labels = pod_selector.value
            }
          }
        }
      }
    }

    # DNS
    egress {
      dynamic "ports" {
        for_each = ["UDP", "TCP"]

        content {
          port     = "53"
          protocol = ports.value
        }
      }
    }
    # without a port it would be all of them
    dynamic "egress" {
      for_each = length(var.network_policy.egress_ports) == 0 ? [] : [1]

      content {
        dynamic "ports" {
          for_each = var.network_policy.egress_ports

          content {
            port     = tostring(ports.value)
            protocol = "TCP"
          }
        }
        dynamic "to" {
          for_each = var.network_policy.egress_cidrs

          content {
            ip_block {
              cidr = to.value
            }
          }
        }
      }
    }
  }
}

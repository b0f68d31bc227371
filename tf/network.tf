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

resource "kubectl_manifest" "service" {
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "Service"
    metadata   = merge(local.metadata, { annotations = var.service.annotations })
    spec = {
      type     = var.service.type
      selector = local.selector
      ports    = [{ name = "http", port = var.service.port, targetPort = "http", protocol = "TCP" }]
    }
  })
}

# All pods by one name, for a Prometheus that finds them by DNS.
resource "kubectl_manifest" "pods" {
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "Service"
    metadata   = merge(local.metadata, { name = "${var.name}-pods", labels = merge(local.labels, local.scraped) })
    spec = {
      clusterIP = "None"
      selector  = local.selector
      ports     = [{ name = "http", port = local.port, targetPort = "http", protocol = "TCP" }]
    }
  })
}

resource "kubectl_manifest" "network_policy" {
  count             = var.network_policy.enabled ? 1 : 0
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]

  yaml_body = yamlencode({
    apiVersion = "networking.k8s.io/v1"
    kind       = "NetworkPolicy"
    metadata   = local.metadata
    spec = {
      podSelector = { matchLabels = local.selector }
      policyTypes = ["Ingress", "Egress"]
      ingress = [merge(
        { ports = [{ port = "http", protocol = "TCP" }] },
        length(var.network_policy.from) == 0 ? null : { from = [for peer in var.network_policy.from : merge(
          peer.namespace_labels == null ? null : { namespaceSelector = { matchLabels = peer.namespace_labels } },
          peer.pod_labels == null ? null : { podSelector = { matchLabels = peer.pod_labels } },
        )] },
      )]
      egress = [
        { ports = [for protocol in ["UDP", "TCP"] : { port = 53, protocol = protocol }] },
        merge(
          { ports = [for port in var.network_policy.egress_ports : { port = port, protocol = "TCP" }] },
          length(var.network_policy.egress_cidrs) == 0 ? null : {
            to = [for cidr in var.network_policy.egress_cidrs : { ipBlock = { cidr = cidr } }]
          },
        ),
      ]
    }
  })
}

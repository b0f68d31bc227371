# For clusters with the Prometheus operator: it is told to scrape the pods.

variable "service_monitor" {
  description = <<-EOT
    A ServiceMonitor of the Prometheus operator; null: none.
    - `labels`: what that Prometheus selects its monitors by
    - `interval`
    - `totals`: whether the instruments are scraped too, and not only how the service itself is doing. null: when they
      are not pushed and there is one pod only. Every pod shows the same totals, so scraped twice they count twice.
    - `token_secret`: the Secret and its key with a token, where `server.metrics_auth` is on
  EOT
  type = object({
    labels       = optional(map(string), {})
    interval     = optional(string, "15s")
    totals       = optional(bool)
    token_secret = optional(object({ name = string, key = string }))
  })
  default = null

  validation {
    condition = try(var.service_monitor.totals, null) != true || alltrue([
      var.collector_url == null, var.autoscaling == null, var.replicas <= 1
    ])
    error_message = "service_monitor.totals: with a collector_url or more than one pod every sum would be too large. Push them, and leave this out."
  }
}

locals {
  # one of the two services, else each pod would be scraped twice
  scraped = { "app.kubernetes.io/component" = "pods" }
  scrapes_totals = coalesce(
    try(var.service_monitor.totals, null),
    var.collector_url == null && var.autoscaling == null && var.replicas <= 1,
  )
}

# There is no resource of its own for it. So the plan asks the cluster what a service monitor is.
resource "kubernetes_manifest" "service_monitor" {
  count = var.service_monitor == null ? 0 : 1

  manifest = {
    apiVersion = "monitoring.coreos.com/v1"
    kind       = "ServiceMonitor"
    metadata = {
      name      = var.name
      namespace = local.namespace
      labels    = merge(local.labels, var.service_monitor.labels)
    }
    spec = {
      selector = { matchLabels = merge(local.selector, local.scraped) }
      endpoints = [merge(
        { port = "http", path = "/metrics", interval = var.service_monitor.interval },
        local.scrapes_totals ? null : { metricRelabelings = [{
          sourceLabels = ["__name__"]
          regex        = "(deployment|lead_time|change_failure|incident|time_to)_.*"
          action       = "drop"
        }] },
        var.service_monitor.token_secret == null ? null : {
          authorization = { credentials = { name = var.service_monitor.token_secret.name, key = var.service_monitor.token_secret.key } }
        },
      )]
    }
  }
}

# A Prometheus that takes the series by OTLP, with the rules of this repository. It has no login, so only the pods of its
# namespace may reach it.

variable "namespace" {
  description = "A namespace that is there, best that of em-metrics."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of all objects, and of the service."
  type        = string
  default     = "prometheus"
  nullable    = false
}

variable "image" {
  description = "The image of Prometheus: the version that docker-compose.yml runs."
  type        = string
  default     = "prom/prometheus:v3.13.3"
  nullable    = false
}

variable "em_metrics_pods" {
  description = "The name behind which DNS has the addresses of em-metrics' pods: its module's output `pods`."
  type        = string
  default     = "em-metrics-pods"
  nullable    = false
}

variable "retention" {
  description = "How long it keeps the series. em-metrics keeps the facts for ever."
  type        = string
  default     = "2y"
  nullable    = false

  validation {
    condition     = can(regex("^[1-9][0-9]*[hdwy]$", var.retention))
    error_message = "retention: a number with its unit: h, d, w or y."
  }
}

variable "volume" {
  description = "Its volume: `size`, `storage_class_name` (null: the cluster's default), and whether a destroy leaves it (`keep`)."
  type        = object({ size = optional(string, "20Gi"), storage_class_name = optional(string), keep = optional(bool, true) })
  default     = {}
  nullable    = false
}

variable "resources" {
  description = "What it asks for and may use."
  type        = object({ requests = map(string), limits = map(string) })
  default     = { requests = { cpu = "100m", memory = "512Mi" }, limits = { memory = "2Gi" } }
  nullable    = false
}

locals {
  files = "${path.module}/../../../grafana"
  # behind the service each scrape would meet another pod
  all_pods = <<-EOT
    dns_sd_configs:
          - names: [${jsonencode(var.em_metrics_pods)}]
            type: A
            port: 3000
        metric_relabel_configs:
  EOT
  one_pod  = "static_configs:\n      - targets: [\"em-metrics:3000\"]\n    metric_relabel_configs:\n"
  config   = replace(file("${local.files}/prometheus.yml"), local.one_pod, local.all_pods)
}

module "workload" {
  source = "../workload"

  name      = var.name
  namespace = var.namespace
  image     = var.image
  user      = 65534
  args = [
    "--config.file=/etc/prometheus/prometheus.yml",
    "--storage.tsdb.path=/prometheus",
    "--storage.tsdb.retention.time=${var.retention}",
    "--web.enable-otlp-receiver",
  ]
  files = {
    "/etc/prometheus" = {
      "prometheus.yml" = local.config
    }
    "/etc/prometheus/rules" = {
      for name in ["recording.yml", "alerts.yml"] : name => file("${local.files}/rules/${name}")
    }
  }
  ports     = { http = 9090 }
  probe     = { port = "http", path = "/-/ready" }
  volume    = { path = "/prometheus", size = var.volume.size, storage_class_name = var.volume.storage_class_name, keep = var.volume.keep }
  resources = var.resources
}

output "url" {
  description = "`prometheus_url` of the collector and Grafana."
  value       = "http://${var.name}.${var.namespace}.svc:9090"
}

output "otlp_url" {
  description = "`collector_url` of em-metrics where there is no collector; `network_policy.egress_ports` then needs 9090."
  value       = "http://${var.name}.${var.namespace}.svc:9090/api/v1/otlp/v1/metrics"
}

output "config" {
  description = "Its file, without the rules."
  value       = local.config
}

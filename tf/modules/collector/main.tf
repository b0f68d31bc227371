# The OpenTelemetry Collector between em-metrics and Prometheus, with the file of this repository. It earns its place
# when other services send through it too, or when the series go to more than one store.

variable "namespace" {
  description = "A namespace that is there, best that of em-metrics."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of all objects, and of the service."
  type        = string
  default     = "collector"
  nullable    = false
}

variable "image" {
  description = "The image of the collector: the version that docker-compose.yml runs."
  type        = string
  default     = "otel/opentelemetry-collector:0.162.0"
  nullable    = false
}

variable "prometheus_url" {
  description = "The Prometheus that the series go to."
  type        = string
  default     = "http://prometheus:9090"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^/]+$", var.prometheus_url))
    error_message = "prometheus_url: http:// or https://, a host and a port, and nothing after it."
  }
}

variable "resources" {
  description = "What it asks for and may use. Its own limit of memory is 200 MiB (grafana/otel-collector.yml)."
  type        = object({ requests = map(string), limits = map(string) })
  default     = { requests = { cpu = "50m", memory = "128Mi" }, limits = { memory = "320Mi" } }
  nullable    = false
}

locals {
  # the file is written for docker-compose.yml
  config = replace(file("${path.module}/../../../grafana/otel-collector.yml"), "http://prometheus:9090", var.prometheus_url)
}

module "workload" {
  source = "../workload"

  name      = var.name
  namespace = var.namespace
  image     = var.image
  user      = 10001
  args      = ["--config=/etc/otelcol/config.yml"]
  files     = { "/etc/otelcol" = { "config.yml" = local.config } }
  ports     = { otlp-http = 4318, otlp-grpc = 4317 }
  probe     = { port = "otlp-http" }
  resources = var.resources
}

output "url" {
  description = "`collector_url` of em-metrics."
  value       = "http://${var.name}.${var.namespace}.svc:4318"
}

output "config" {
  description = "Its file."
  value       = local.config
}

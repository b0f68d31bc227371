variable "image" {
  description = "The image of em-metrics."
  type        = string
}

variable "database_url" {
  description = "postgres://user:password@host:5432/database"
  type        = string
  sensitive   = true
}

variable "writer_token" {
  description = "The token of pipelines."
  type        = string
  sensitive   = true
}

variable "reader_token" {
  description = "The token of dashboards."
  type        = string
  sensitive   = true
}

variable "host" {
  description = "The name that em-metrics is reached by."
  type        = string
}

variable "ingress_class_name" {
  description = "The ingress controller."
  type        = string
  default     = "nginx"
}

variable "cluster_issuer" {
  description = "cert-manager's issuer of the certificate."
  type        = string
  default     = "letsencrypt"
}

variable "collector_url" {
  description = "The OpenTelemetry Collector, or a store that takes OTLP."
  type        = string
  default     = "http://collector.monitoring.svc:4318"
}

variable "service_monitor" {
  description = "Whether the cluster has the Prometheus operator."
  type        = bool
  default     = false
}

variable "wait_for_rollout" {
  description = "Whether an apply ends only when the pods are ready."
  type        = bool
  default     = true
}

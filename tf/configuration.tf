# What em-metrics is told, without secrets: its file, and variables of its environment.

variable "config" {
  description = "The configuration file, as in config.example.json; what is left out has its default. Secrets are not for here: see `tokens`, `database_url`, `secret_environment`."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.config))
    error_message = "config: an object, such as { teams = { red = { projects = [\"shop\"], users = [] } } }."
  }
  validation {
    condition = alltrue([
      try(var.config.storage.database_url, null) == null,
      try(var.config.auth.basic, null) == null,
      length(try(var.config.auth.tokens, [])) == 0,
      try(var.config.otel.otlp.headers, null) == null,
      try(var.config.otel.otlp_metrics.headers, null) == null,
      try(var.config.otel.otlp_traces.headers, null) == null,
    ])
    error_message = "config: everybody who may read config maps could read it. Use tokens for auth.tokens, database_url for storage.database_url, and secret_environment for auth.basic and headers."
  }
  validation {
    condition = alltrue([
      try(var.config.server.host, null) == null,
      try(var.config.server.port, null) == null,
      try(var.config.server.drain_seconds, null) == null,
      try(var.config.storage.sqlite_db, null) == null,
    ])
    error_message = "config: server.host, server.port and storage.sqlite_db are set by the module, and server.drain_seconds is its variable drain_seconds; leave them out."
  }
}

variable "environment" {
  description = "Variables of the environment, without secrets; they win over `config`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for name in keys(var.environment) : !contains(
      ["CONFIG", "HOST", "PORT", "SQLITE_DB", "EM_METRICS_DRAIN_SECONDS", "DATABASE_URL", "EM_METRICS_TOKEN_AUTH", "EM_METRICS_BASIC_AUTH_PASSWORD"], name
    ) && !endswith(name, "_HEADERS")])
    error_message = "environment: CONFIG, HOST, PORT and SQLITE_DB are set by the module, and EM_METRICS_DRAIN_SECONDS by drain_seconds; secrets belong into database_url, tokens or secret_environment."
  }
}

variable "collector_url" {
  description = "Where metrics are pushed to by OTLP, such as http://collector:4318. null: nowhere; /metrics can be scraped."
  type        = string
  default     = null

  validation {
    condition     = var.collector_url == null || can(regex("^https?://[^/]+", var.collector_url))
    error_message = "collector_url: begins with http:// or https:// and a host."
  }
}

locals {
  environment = merge(
    {
      EM_METRICS_LOG_FORMAT = "json"
      CONFIG                = "/etc/em-metrics/config.json"
      PORT                  = tostring(local.port)
    },
    local.sqlite ? { SQLITE_DB = "/data/em-metrics.db" } : { EM_METRICS_DRAIN_SECONDS = tostring(var.drain_seconds) },
    var.collector_url == null ? null : { OTEL_COLLECTOR_URL = var.collector_url },
    var.environment,
  )
  # its place is a Secret as soon as there are tokens in it
  file_is_open = !local.has_tokens && var.existing_config_secret == null
}

resource "kubernetes_config_map_v1" "config" {
  count = local.file_is_open ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  data = { "config.json" = jsonencode(var.config) }
}

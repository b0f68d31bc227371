# Grafana with the dashboards of this repository. Everybody who reaches it may look, and nobody can change anything: put it
# behind an ingress that asks who it is, or leave it to `kubectl port-forward`.

variable "namespace" {
  description = "A namespace that is there, best that of em-metrics."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of all objects, and of the service."
  type        = string
  default     = "grafana"
  nullable    = false
}

variable "image" {
  description = "The image of Grafana: the version that docker-compose.yml runs."
  type        = string
  default     = "grafana/grafana:13.2.3"
  nullable    = false
}

variable "admin_password" {
  description = "The password of the user admin, for the day that logins are switched on."
  type        = string
  nullable    = false
  sensitive   = true

  validation {
    condition     = length(var.admin_password) >= 12
    error_message = "admin_password: at least 12 characters."
  }
}

variable "prometheus_url" {
  description = "The Prometheus that it asks."
  type        = string
  default     = "http://prometheus:9090"
  nullable    = false
}

variable "em_metrics_url" {
  description = "The em-metrics that it asks for exact answers: its module's output `cluster_url`."
  type        = string
  default     = "http://em-metrics:3000"
  nullable    = false
}

variable "em_metrics_token" {
  description = "A token of the role reader, for exact answers. null: that dashboard stays empty."
  type        = string
  default     = null
  sensitive   = true
}

variable "infinity_version" {
  description = "The data source that asks for exact answers, which Grafana fetches at its start. null: it is not fetched."
  type        = string
  default     = "4.1.8"
}

variable "postgres" {
  description = "The database of em-metrics, for the dashboard of its views, with the password of the role that grafana/reader.sql makes. null: that dashboard stays empty."
  type = object({
    host     = string
    port     = optional(number, 5432)
    database = string
    sslmode  = optional(string, "require")
    password = string
  })
  default   = null
  sensitive = true
}

variable "volume" {
  description = "Its volume: `size`, `storage_class_name` (null: the cluster's default), and whether a destroy leaves it (`keep`). Nothing is on it that cannot be made again."
  type        = object({ size = optional(string, "1Gi"), storage_class_name = optional(string), keep = optional(bool, false) })
  default     = {}
  nullable    = false
}

variable "resources" {
  description = "What it asks for and may use."
  type        = object({ requests = map(string), limits = map(string) })
  default     = { requests = { cpu = "50m", memory = "192Mi" }, limits = { memory = "512Mi" } }
  nullable    = false
}

locals {
  files        = "${path.module}/../../../grafana"
  provisioning = "${local.files}/provisioning"
  has_postgres = nonsensitive(var.postgres != null)
  # names of places only
  database = local.has_postgres ? { for key in ["host", "port", "database", "sslmode"] : key => nonsensitive(var.postgres[key]) } : null

  # the files are written for docker-compose.yml
  written = {
    prometheus = replace(file("${local.provisioning}/datasources/prometheus.yml"), "http://prometheus:9090", var.prometheus_url)
    answers    = replace(file("${local.provisioning}/datasources/em-metrics.yml"), "http://em-metrics:3000", var.em_metrics_url)
  }
  addressed = local.database == null ? local.written.answers : replace(
    replace(
      replace(local.written.answers, "postgres:5432", "${local.database.host}:${local.database.port}"),
      "database: em_metrics", "database: ${local.database.database}",
    ),
    "sslmode: disable", "sslmode: ${local.database.sslmode}",
  )
  sources = { "em-metrics.yml" = local.addressed, "prometheus.yml" = local.written.prometheus }
}

module "workload" {
  source = "../workload"

  name              = var.name
  namespace         = var.namespace
  image             = var.image
  user              = 472
  open_to_everybody = true
  environment = merge(
    {
      GF_AUTH_ANONYMOUS_ENABLED                 = "true"
      GF_AUTH_ANONYMOUS_ORG_ROLE                = "Viewer"
      GF_AUTH_DISABLE_LOGIN_FORM                = "true"
      GF_AUTH_BASIC_ENABLED                     = "false"
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH = "/etc/grafana/dashboards/dora.json"
      GF_USERS_DEFAULT_THEME                    = "system"
      GF_ANALYTICS_REPORTING_ENABLED            = "false"
      GF_ANALYTICS_CHECK_FOR_UPDATES            = "false"
      GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES     = "false"
      GF_NEWS_NEWS_FEED_ENABLED                 = "false"
    },
    var.infinity_version == null ? { GF_PLUGINS_PREINSTALL_DISABLED = "true" } : {
      GF_PLUGINS_PREINSTALL                                         = "yesoreyeram-infinity-datasource@${var.infinity_version}"
    },
  )
  secret_environment = {
    GF_SECURITY_ADMIN_PASSWORD = var.admin_password
    EM_METRICS_READER_TOKEN    = var.em_metrics_token == null ? "" : var.em_metrics_token
    EM_METRICS_READER_PASSWORD = var.postgres == null ? "" : var.postgres.password
  }
  files = {
    "/etc/grafana/provisioning/datasources" = local.sources
    "/etc/grafana/provisioning/dashboards"  = { "em-metrics.yml" = file("${local.provisioning}/dashboards/em-metrics.yml") }
    "/etc/grafana/dashboards" = {
      for name in fileset("${local.files}/dashboards", "*.json") : name => file("${local.files}/dashboards/${name}")
    }
  }
  ports     = { http = 3000 }
  probe     = { port = "http", path = "/api/health" }
  volume    = { path = "/var/lib/grafana", size = var.volume.size, storage_class_name = var.volume.storage_class_name, keep = var.volume.keep }
  resources = var.resources
}

output "service" {
  description = "The name of the service; its port is 3000."
  value       = var.name
}

output "sources" {
  description = "The files of its data sources; what is secret in them is a variable of its environment."
  value       = local.sources
}

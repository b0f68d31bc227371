# What nobody else may read: from variables (then Terraform's state has it too), or from Secrets that are there.

variable "tokens" {
  description = "Who may come in by token: `name`, `token`, and `role` (`reader`, `writer` or `admin`)."
  type = list(object({
    name  = string
    token = string
    role  = optional(string, "writer")
  }))
  default   = []
  nullable  = false
  sensitive = true

  validation {
    condition     = alltrue([for entry in var.tokens : contains(["reader", "writer", "admin"], entry.role)])
    error_message = "tokens: role is reader, writer or admin."
  }
  validation {
    condition     = alltrue([for entry in var.tokens : length(entry.token) >= 16 && trimspace(entry.token) == entry.token])
    error_message = "tokens: at least 16 characters, without white space at the ends. `openssl rand -hex 32` makes one."
  }
  validation {
    condition     = length(distinct([for entry in var.tokens : entry.name])) == length(var.tokens)
    error_message = "tokens: each needs a name of its own, as the journal says who it was."
  }
}

variable "secret_environment" {
  description = "Secret variables of the environment, such as EM_METRICS_BASIC_AUTH_PASSWORD or OTEL_EXPORTER_OTLP_HEADERS."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true

  validation {
    condition     = alltrue([for name in keys(var.secret_environment) : !contains(["CONFIG", "HOST", "PORT", "SQLITE_DB", "DATABASE_URL"], name)])
    error_message = "secret_environment: CONFIG, HOST, PORT and SQLITE_DB are set by the module; DATABASE_URL is the variable database_url."
  }
  validation {
    condition     = length(var.tokens) == 0 || !contains(keys(var.secret_environment), "EM_METRICS_TOKEN_AUTH")
    error_message = "secret_environment: EM_METRICS_TOKEN_AUTH would be instead of tokens. Put it there, with a name and a role."
  }
  validation {
    condition     = var.existing_secret == null || length(var.secret_environment) == 0
    error_message = "secret_environment: with existing_secret, put it there."
  }
}

variable "existing_secret" {
  description = "The name of a Secret of the namespace, each key a variable of the environment (DATABASE_URL, EM_METRICS_TOKEN_AUTH, ...), instead of `database_url` and `secret_environment`."
  type        = string
  default     = null
}

variable "existing_config_secret" {
  description = "The name of a Secret of the namespace whose key config.json is the whole configuration file, instead of `config` and `tokens`."
  type        = string
  default     = null

  validation {
    condition     = var.existing_config_secret == null || (length(var.tokens) == 0 && length(keys(var.config)) == 0)
    error_message = "existing_config_secret: put config and tokens into it too, or leave it out."
  }
}

variable "secrets_version" {
  description = "Anything. When it changes, the pods are replaced: for Secrets that were changed outside of Terraform."
  type        = string
  default     = ""
  nullable    = false
}

locals {
  # how many there are is no secret
  has_tokens = nonsensitive(length(var.tokens) > 0)
  # the database of PostgreSQL comes from here whenever it does not come from outside
  secret_is_made = var.existing_secret == null && (!local.sqlite || nonsensitive(length(var.secret_environment) > 0))
  secret         = var.existing_secret == null ? var.name : var.existing_secret
  secret_data = merge(
    local.sqlite ? null : { DATABASE_URL = var.database_url },
    var.secret_environment,
  )

  config_secret = var.existing_config_secret == null ? "${var.name}-config" : var.existing_config_secret
  config_file   = jsonencode(merge(var.config, { auth = merge(try(var.config.auth, {}), { tokens = var.tokens }) }))

  lets_somebody_in = anytrue([
    local.has_tokens,
    var.existing_secret != null,
    var.existing_config_secret != null,
    try(var.config.auth.no_auth, false),
    contains(keys(var.environment), "EM_METRICS_NO_AUTH"),
    nonsensitive(length(setintersection(keys(var.secret_environment), ["EM_METRICS_TOKEN_AUTH", "EM_METRICS_BASIC_AUTH_PASSWORD"])) > 0),
  ])
}

resource "kubernetes_secret_v1" "secret" {
  count = local.secret_is_made ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  data = local.secret_data
}

resource "kubernetes_secret_v1" "config" {
  count = local.has_tokens ? 1 : 0

  metadata {
    name      = local.config_secret
    namespace = local.namespace
    labels    = local.labels
  }

  data = { "config.json" = local.config_file }
}

# What runs, and how much of it. The other variables are with what they are about: database.tf, configuration.tf,
# secrets.tf, network.tf, ingress.tf, availability.tf, monitoring.tf.

variable "name" {
  description = "Name of all objects."
  type        = string
  default     = "em-metrics"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "name: small letters, digits and hyphens, at most 40, beginning with a letter and not ending with a hyphen."
  }
}

variable "namespace" {
  description = "Namespace of all objects."
  type        = string
  default     = "em-metrics"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace: small letters, digits and hyphens, at most 63, neither beginning nor ending with a hyphen."
  }
}

variable "create_namespace" {
  description = "Whether the namespace is made here, so that it admits only pods of the \"restricted\" Pod Security Standard. false: it is there."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "More labels for all objects."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image" {
  description = "The image, with a tag or digest: what `docker build` of this repository makes, in a registry that the cluster reaches."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image: name a tag other than latest, or a digest. Else nobody knows what runs, and a new version is not rolled out."
  }
}

variable "image_pull_policy" {
  description = "Always, IfNotPresent or Never."
  type        = string
  default     = "IfNotPresent"
  nullable    = false

  validation {
    condition     = contains(["Always", "IfNotPresent", "Never"], var.image_pull_policy)
    error_message = "image_pull_policy: Always, IfNotPresent or Never."
  }
}

variable "image_pull_secrets" {
  description = "Names of Secrets of the namespace that the registry asks for."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "replicas" {
  description = "How many pods; not used with `autoscaling`. SQLite: 1. PostgreSQL: any number."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.replicas >= 0 && floor(var.replicas) == var.replicas
    error_message = "replicas: a whole number, 0 or more."
  }
  validation {
    condition     = var.database != "sqlite" || var.replicas <= 1
    error_message = "replicas: SQLite is for one process. For more, set database = \"postgres\"."
  }
}

variable "resources" {
  description = "What a pod asks for and may use. Memory: 512 MiB are for the index of facts at most (`storage.index_memory_mb`), so raise both together."
  type = object({
    requests = optional(map(string), { cpu = "100m", memory = "256Mi" })
    limits   = optional(map(string), { memory = "1Gi" })
  })
  default  = {}
  nullable = false
}

variable "node_selector" {
  description = "Labels that a node must have."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tolerations" {
  description = "Taints of nodes that the pods tolerate."
  type = list(object({
    key                = optional(string)
    operator           = optional(string, "Equal")
    value              = optional(string)
    effect             = optional(string)
    toleration_seconds = optional(number)
  }))
  default  = []
  nullable = false
}

variable "wait_for_rollout" {
  description = "Whether an apply ends only when the pods are ready."
  type        = bool
  default     = true
  nullable    = false
}

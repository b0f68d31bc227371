# SQLite on a volume, for one pod; or a PostgreSQL that is there already.

variable "database" {
  description = "`sqlite`: a file on a volume, for one pod. `postgres`: a PostgreSQL elsewhere, for any number of pods."
  type        = string
  default     = "sqlite"
  nullable    = false

  validation {
    condition     = contains(["sqlite", "postgres"], var.database)
    error_message = "database: sqlite or postgres."
  }
}

variable "database_url" {
  description = "`postgres://user:password@host:port/database`, with / ? # @ % in the password percent-encoded. Or have it in `existing_secret` as DATABASE_URL."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.database_url == null || can(regex("^postgres(ql)?://", var.database_url))
    error_message = "database_url: begins with postgres://."
  }
  validation {
    condition     = var.database == "postgres" || var.database_url == null
    error_message = "database_url: it is not used with SQLite. Set database = \"postgres\", or leave it out."
  }
  validation {
    condition     = var.existing_secret == null || var.database_url == null
    error_message = "database_url: with existing_secret, put it there, as DATABASE_URL."
  }
  validation {
    condition     = var.database == "sqlite" || var.database_url != null || var.existing_secret != null
    error_message = "database_url: with database = \"postgres\" it is needed here, or as DATABASE_URL in existing_secret."
  }
}

variable "volume" {
  description = <<-EOT
    The volume of SQLite's file.
    - `size`, `storage_class_name` (null: the cluster's default), `access_modes`
    - `existing_claim`: the name of a claim that is there; then nothing is made here
    - `keep`: whether `terraform destroy` and all changes leave the claim, and the namespace that it is in
    - `unused`: whether it is there with PostgreSQL too: the one of the SQLite that the data came from
  EOT
  type = object({
    size               = optional(string, "5Gi")
    storage_class_name = optional(string)
    access_modes       = optional(list(string), ["ReadWriteOnce"])
    existing_claim     = optional(string)
    keep               = optional(bool, true)
    unused             = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)$", var.volume.size))
    error_message = "volume.size: a number with its unit, such as 5Gi."
  }
  validation {
    condition     = alltrue([for mode in var.volume.access_modes : contains(["ReadWriteOnce", "ReadWriteOncePod"], mode)])
    error_message = "volume.access_modes: ReadWriteOnce or ReadWriteOncePod. SQLite's file is for one process, and is not safe on a network file system."
  }
}

locals {
  sqlite         = var.database == "sqlite"
  volume_is_made = (local.sqlite || var.volume.unused) && var.volume.existing_claim == null
  claim          = var.volume.existing_claim == null ? var.name : var.volume.existing_claim
}

resource "kubernetes_persistent_volume_claim_v1" "volume" {
  count = local.volume_is_made ? 1 : 0

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  spec {
    access_modes       = var.volume.access_modes
    storage_class_name = var.volume.storage_class_name

    resources {
      requests = { storage = var.volume.size }
    }
  }

  # many classes make the volume only when a pod wants it
  wait_until_bound = false
}

# A namespace that is made here waits for the volume, so it stays with it.
module "keep" {
  count  = local.volume_is_made ? 1 : 0
  source = "./modules/keep"

  claim = kubernetes_persistent_volume_claim_v1.volume[0].metadata[0]
  keep  = var.volume.keep
}

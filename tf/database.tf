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
    - `keep`: whether `terraform destroy` leaves the claim, and the namespace that it is in
  EOT
  type = object({
    size               = optional(string, "5Gi")
    storage_class_name = optional(string)
    access_modes       = optional(list(string), ["ReadWriteOnce"])
    existing_claim     = optional(string)
    keep               = optional(bool, true)
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
  volume_is_made = local.sqlite && var.volume.existing_claim == null
  volume_is_kept = local.volume_is_made && var.volume.keep
  claim          = var.volume.existing_claim == null ? var.name : var.volume.existing_claim
}

resource "kubectl_manifest" "volume" {
  count             = local.volume_is_made ? 1 : 0
  server_side_apply = true
  force_conflicts   = true
  apply_only        = var.volume.keep
  depends_on        = [kubectl_manifest.namespace]

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "PersistentVolumeClaim"
    metadata   = local.metadata
    spec = merge(
      {
        accessModes = var.volume.access_modes
        resources   = { requests = { storage = var.volume.size } }
      },
      var.volume.storage_class_name == null ? null : { storageClassName = var.volume.storage_class_name },
    )
  })
}

# The pods, and who they are: nobody. Not root, no capability, no token of the cluster, nothing to write to but
# the volume and /tmp.

variable "drain_seconds" {
  description = "How long a pod that is to end goes on serving, until no router sends it anything: then a rolling update drops no request. 0: not at all. With SQLite it ends at once, as its successor waits for it."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.drain_seconds >= 0 && var.drain_seconds <= 120 && floor(var.drain_seconds) == var.drain_seconds
    error_message = "drain_seconds: a whole number from 0 to 120."
  }
}

variable "termination_grace_seconds" {
  description = "How long a pod may take to end, with `drain_seconds`: it finishes its requests (server.shutdown_timeout_seconds), writes what it has accepted, exports once more."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.termination_grace_seconds >= var.drain_seconds + 30
    error_message = "termination_grace_seconds: at least 30 more than drain_seconds."
  }
}

resource "kubernetes_service_account_v1" "account" {
  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  automount_service_account_token = false
}

locals {
  # Pods read their configuration at the start, so they are replaced when it changes.
  checksums = {
    "em-metrics/config" = sha256(jsonencode(var.config))
    # eight digits show a change, and are too few to check guesses of a secret with
    "em-metrics/secrets"         = nonsensitive(substr(sha256(jsonencode([local.secret_data, var.tokens])), 0, 8))
    "em-metrics/secrets-version" = var.secrets_version
  }
  has_secret = local.secret_is_made || var.existing_secret != null

  folders = merge(
    { config = "/etc/em-metrics", tmp = "/tmp" },
    local.sqlite ? { data = "/data" } : null,
  )
}

resource "kubernetes_deployment_v1" "deployment" {
  depends_on = [
    kubernetes_config_map_v1.config, kubernetes_secret_v1.secret, kubernetes_secret_v1.config,
    kubernetes_persistent_volume_claim_v1.volume, kubernetes_network_policy_v1.pods,
  ]

  metadata {
    name      = var.name
    namespace = local.namespace
    labels    = local.labels
  }

  spec {
    # else every apply would undo what the autoscaler did
    replicas               = var.autoscaling == null ? var.replicas : null
    revision_history_limit = 3

    selector {
      match_labels = local.selector
    }

    # SQLite's file is one process's at a time; with PostgreSQL the old pods serve until the new ones do
    strategy {
      type = local.sqlite ? "Recreate" : "RollingUpdate"

      dynamic "rolling_update" {
        for_each = local.sqlite ? [] : [1]

        content {
          max_surge       = "1"
          max_unavailable = "0"
        }
      }
    }

    template {
      metadata {
        labels      = local.labels
        annotations = local.checksums
      }

      spec {
        service_account_name             = kubernetes_service_account_v1.account.metadata[0].name
        automount_service_account_token  = false
        enable_service_links             = false
        termination_grace_period_seconds = var.termination_grace_seconds
        node_selector                    = var.node_selector

        security_context {
          run_as_non_root        = true
          run_as_user            = "65532"
          run_as_group           = "65532"
          fs_group               = "65532"
          fs_group_change_policy = "OnRootMismatch"

          seccomp_profile {
            type = "RuntimeDefault"
          }
        }

        container {
          name              = "em-metrics"
          image             = var.image
          image_pull_policy = var.image_pull_policy

          port {
            name           = "http"
            container_port = local.port
          }

          dynamic "env" {
            for_each = local.environment

            content {
              name  = env.key
              value = env.value
            }
          }
          dynamic "env_from" {
            for_each = local.has_secret ? [local.secret] : []

            content {
              secret_ref {
                name = env_from.value
              }
            }
          }

          security_context {
            run_as_non_root            = true
            read_only_root_filesystem  = true
            allow_privilege_escalation = false

            capabilities {
              drop = ["ALL"]
            }
          }

          # a start may bring a large database up to date
          startup_probe {
            period_seconds    = 2
            timeout_seconds   = 5
            failure_threshold = 300

            http_get {
              path = "/health/live"
              port = "http"
            }
          }
          liveness_probe {
            period_seconds    = 10
            timeout_seconds   = 5
            failure_threshold = 6

            http_get {
              path = "/health/live"
              port = "http"
            }
          }
          readiness_probe {
            period_seconds    = 5
            timeout_seconds   = 5
            failure_threshold = 3

            http_get {
              path = "/health/ready"
              port = "http"
            }
          }

          resources {
            requests = var.resources.requests
            limits   = var.resources.limits
          }

          dynamic "volume_mount" {
            for_each = local.folders

            content {
              name       = volume_mount.key
              mount_path = volume_mount.value
              read_only  = volume_mount.key == "config"
            }
          }
        }

        volume {
          name = "config"

          dynamic "config_map" {
            for_each = local.file_is_open ? [var.name] : []

            content {
              name = config_map.value
            }
          }
          dynamic "secret" {
            for_each = local.file_is_open ? [] : [local.config_secret]

            content {
              secret_name = secret.value
            }
          }
        }
        volume {
          name = "tmp"

          empty_dir {
            size_limit = "256Mi"
          }
        }
        dynamic "volume" {
          for_each = local.sqlite ? [local.claim] : []

          content {
            name = "data"

            persistent_volume_claim {
              claim_name = volume.value
            }
          }
        }

        dynamic "topology_spread_constraint" {
          for_each = local.sqlite ? [] : var.spread_over

          content {
            topology_key       = topology_spread_constraint.value
            max_skew           = 1
            when_unsatisfiable = "ScheduleAnyway"
            # the pods of the old version do not count while a new one is rolled out
            match_label_keys = ["pod-template-hash"]

            label_selector {
              match_labels = local.selector
            }
          }
        }
        dynamic "toleration" {
          for_each = var.tolerations

          content {
            key                = toleration.value.key
            operator           = toleration.value.operator
            value              = toleration.value.value
            effect             = toleration.value.effect
            toleration_seconds = toleration.value.toleration_seconds
          }
        }
        dynamic "image_pull_secrets" {
          for_each = var.image_pull_secrets

          content {
            name = image_pull_secrets.value
          }
        }
      }
    }
  }

  wait_for_rollout = var.wait_for_rollout

  lifecycle {
    precondition {
      condition     = local.lets_somebody_in
      error_message = "Nobody could sign in: each start would make a token of its own. Set tokens, existing_secret, existing_config_secret, or a password in secret_environment."
    }
  }
}

resource "kubernetes_deployment_v1" "deployment" {
  depends_on = [
    kubernetes_config_map_v1.config, kubernetes_secret_v1.secret, kubernetes_persistent_volume_claim_v1.volume,
    kubernetes_network_policy_v1.pods,
  ]

  metadata {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }

  spec {
    replicas               = 1
    revision_history_limit = 3

    selector {
      match_labels = local.selector
    }
    strategy {
      type = "Recreate"
    }

    template {
      metadata {
        labels = local.labels
        annotations = {
          "em-metrics/config" = sha256(jsonencode(local.data))
          # eight digits show a change, and are too few to check guesses of a secret with
          "em-metrics/secrets" = nonsensitive(substr(sha256(jsonencode(var.secret_environment)), 0, 8))
        }
      }

      spec {
        automount_service_account_token = false
        enable_service_links            = false

        security_context {
          run_as_non_root        = true
          run_as_user            = tostring(var.user)
          run_as_group           = tostring(var.user)
          fs_group               = tostring(var.user)
          fs_group_change_policy = "OnRootMismatch"

          seccomp_profile {
            type = "RuntimeDefault"
          }
        }

        container {
          name  = var.name
          image = var.image
          args  = var.args

          dynamic "port" {
            for_each = var.ports

            content {
              name           = port.key
              container_port = port.value
            }
          }

          dynamic "env" {
            for_each = var.environment

            content {
              name  = env.key
              value = env.value
            }
          }
          dynamic "env_from" {
            for_each = local.has_secrets ? [var.name] : []

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

          startup_probe {
            period_seconds    = 5
            failure_threshold = 60

            dynamic "http_get" {
              for_each = var.probe.path[*]

              content {
                path = http_get.value
                port = var.probe.port
              }
            }
            dynamic "tcp_socket" {
              for_each = var.probe.path == null ? [var.probe.port] : []

              content {
                port = tcp_socket.value
              }
            }
          }
          liveness_probe {
            period_seconds    = 20
            timeout_seconds   = 10
            failure_threshold = 6

            dynamic "http_get" {
              for_each = var.probe.path[*]

              content {
                path = http_get.value
                port = var.probe.port
              }
            }
            dynamic "tcp_socket" {
              for_each = var.probe.path == null ? [var.probe.port] : []

              content {
                port = tcp_socket.value
              }
            }
          }
          readiness_probe {
            period_seconds  = 10
            timeout_seconds = 5

            dynamic "http_get" {
              for_each = var.probe.path[*]

              content {
                path = http_get.value
                port = var.probe.port
              }
            }
            dynamic "tcp_socket" {
              for_each = var.probe.path == null ? [var.probe.port] : []

              content {
                port = tcp_socket.value
              }
            }
          }

          resources {
            requests = var.resources.requests
            limits   = var.resources.limits
          }

          dynamic "volume_mount" {
            for_each = local.mounts

            content {
              name       = volume_mount.key
              mount_path = volume_mount.value
              read_only  = startswith(volume_mount.key, "files-")
            }
          }
        }

        volume {
          name = "tmp"

          empty_dir {}
        }
        dynamic "volume" {
          for_each = local.folders

          content {
            name = volume.value

            config_map {
              name = var.name

              dynamic "items" {
                for_each = keys(var.files[volume.key])

                content {
                  key  = "${volume.value}-${items.value}"
                  path = items.value
                }
              }
            }
          }
        }
        dynamic "volume" {
          for_each = var.volume[*]

          content {
            name = "data"

            persistent_volume_claim {
              claim_name = var.name
            }
          }
        }
      }
    }
  }
}

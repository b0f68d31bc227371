# The way in from outside, by TLS only.

variable "ingress" {
  description = <<-EOT
    The way in from outside; null: none.
    - `host`, `class_name` (null: the cluster's default)
    - `tls_secret_name`: the Secret with the certificate (default: `<name>-tls`); cert-manager makes it where `annotations` name its issuer
    - `annotations`
  EOT
  type = object({
    host            = string
    class_name      = optional(string)
    tls_secret_name = optional(string)
    annotations     = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.ingress == null || can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.ingress.host))
    error_message = "ingress.host: a name such as em-metrics.example.com, without https:// and path."
  }
}

resource "kubernetes_ingress_v1" "ingress" {
  count = var.ingress == null ? 0 : 1

  metadata {
    name        = var.name
    namespace   = local.namespace
    labels      = local.labels
    annotations = var.ingress.annotations
  }

  spec {
    ingress_class_name = var.ingress.class_name

    tls {
      hosts       = [var.ingress.host]
      secret_name = coalesce(var.ingress.tls_secret_name, "${var.name}-tls")
    }
    rule {
      host = var.ingress.host

      http {
        path {
          path      = "/"
          path_type = "Prefix"

          backend {
            service {
              name = kubernetes_service_v1.service.metadata[0].name

              port {
                name = "http"
              }
            }
          }
        }
      }
    }
  }
}

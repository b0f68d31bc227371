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

resource "kubectl_manifest" "ingress" {
  count             = var.ingress == null ? 0 : 1
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.service]

  yaml_body = yamlencode({
    apiVersion = "networking.k8s.io/v1"
    kind       = "Ingress"
    metadata   = merge(local.metadata, { annotations = var.ingress.annotations })
    spec = merge(
      var.ingress.class_name == null ? null : { ingressClassName = var.ingress.class_name },
      {
        tls = [{
          hosts      = [var.ingress.host]
          secretName = coalesce(var.ingress.tls_secret_name, "${var.name}-tls")
        }]
        rules = [{
          host = var.ingress.host
          http = {
            paths = [{
              path     = "/"
              pathType = "Prefix"
              backend  = { service = { name = var.name, port = { name = "http" } } }
            }]
          }
        }]
      },
    )
  })
}

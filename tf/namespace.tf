# The labels and names that all files share, and the namespace.

locals {
  # what the pods are found by: it can never be changed in a deployment
  selector = {
    "app.kubernetes.io/name"     = "em-metrics"
    "app.kubernetes.io/instance" = var.name
  }
  labels = merge(var.labels, local.selector, { "app.kubernetes.io/managed-by" = "terraform" })
  metadata = {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }
  port = 3000
}

resource "kubectl_manifest" "namespace" {
  count             = var.create_namespace ? 1 : 0
  server_side_apply = true
  force_conflicts   = true
  # else what is applied next would meet a namespace that is about to go
  wait = true
  # with it the volume would go
  apply_only = local.volume_is_kept

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "Namespace"
    metadata = {
      name   = var.namespace
      labels = merge(local.labels, { "pod-security.kubernetes.io/enforce" = "restricted" })
    }
  })
}

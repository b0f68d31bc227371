# The labels and names that all files share, and the namespace.

locals {
  # what the pods are found by: it can never be changed in a deployment
  selector = {
    "app.kubernetes.io/name"     = "em-metrics"
    "app.kubernetes.io/instance" = var.name
  }
  labels = merge(var.labels, local.selector, { "app.kubernetes.io/managed-by" = "terraform" })
  # whatever is in a namespace made here waits for it
  namespace = var.create_namespace ? kubernetes_namespace_v1.namespace[0].metadata[0].name : var.namespace
  port      = 3000
}

resource "kubernetes_namespace_v1" "namespace" {
  count = var.create_namespace ? 1 : 0

  metadata {
    name   = var.namespace
    labels = merge(local.labels, { "pod-security.kubernetes.io/enforce" = "restricted" })
  }
}

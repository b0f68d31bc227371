# One pod that keeps to the same rules as em-metrics: not root, no capability, a read-only root file system. For the
# modules beside this one.

locals {
  selector = {
    "app.kubernetes.io/name"     = var.name
    "app.kubernetes.io/instance" = var.name
  }
  labels = merge(local.selector, { "app.kubernetes.io/part-of" = "em-metrics", "app.kubernetes.io/managed-by" = "terraform" })

  # one config map for all folders, whose files may have the same names
  folders = { for index, folder in sort(keys(var.files)) : folder => "files-${index}" }
  data = merge([for folder, id in local.folders : {
    for name, text in var.files[folder] : "${id}-${name}" => text
  }]...)

  has_secrets = nonsensitive(length(var.secret_environment) > 0)

  mounts = merge(
    { tmp = "/tmp" },
    { for folder, id in local.folders : id => folder },
    var.volume == null ? null : { data = var.volume.path },
  )
}

resource "kubernetes_config_map_v1" "config" {
  metadata {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }

  data = local.data
}

resource "kubernetes_secret_v1" "secret" {
  count = local.has_secrets ? 1 : 0

  metadata {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }

  data = var.secret_environment
}

resource "kubernetes_persistent_volume_claim_v1" "volume" {
  count = var.volume == null ? 0 : 1

  metadata {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }

  spec {
    access_modes       = ["ReadWriteOnce"]
    storage_class_name = var.volume.storage_class_name

    resources {
      requests = { storage = var.volume.size }
    }
  }

  # many classes make the volume only when a pod wants it
  wait_until_bound = false
}

module "keep" {
  count  = var.volume == null ? 0 : 1
  source = "../keep"

  claim = kubernetes_persistent_volume_claim_v1.volume[0].metadata[0]
  keep  = var.volume.keep
}

resource "kubernetes_service_v1" "service" {
  metadata {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }

  spec {
    selector = local.selector

    dynamic "port" {
      for_each = var.ports

      content {
        name        = port.key
        port        = port.value
        target_port = port.key
      }
    }
  }
}

resource "kubernetes_network_policy_v1" "pods" {
  metadata {
    name      = var.name
    namespace = var.namespace
    labels    = local.labels
  }

  spec {
    policy_types = ["Ingress"]

    pod_selector {
      match_labels = local.selector
    }

    ingress {
      dynamic "ports" {
        for_each = keys(var.ports)

        content {
          port     = ports.value
          protocol = "TCP"
        }
      }
      # all pods of the namespace
      dynamic "from" {
        for_each = var.open_to_everybody ? [] : [1]

        content {
          pod_selector {}
        }
      }
    }
  }
}

# One pod that keeps to the same rules as em-metrics: not root, no capability, a read-only root file system. For the
# modules beside this one.

locals {
  selector = {
    "app.kubernetes.io/name"     = var.name
    "app.kubernetes.io/instance" = var.name
  }
  metadata = {
    name      = var.name
    namespace = var.namespace
    labels    = merge(local.selector, { "app.kubernetes.io/part-of" = "em-metrics", "app.kubernetes.io/managed-by" = "terraform" })
  }

  # one config map for all folders, whose files may have the same names
  folders = { for index, folder in sort(keys(var.files)) : folder => "files-${index}" }
  data = merge([for folder, id in local.folders : {
    for name, text in var.files[folder] : "${id}-${name}" => text
  }]...)

  has_secrets = nonsensitive(length(var.secret_environment) > 0)

  volumes = concat(
    [{ name = "tmp", emptyDir = {} }],
    [for folder, id in local.folders : {
      name      = id
      configMap = { name = var.name, items = [for name in keys(var.files[folder]) : { key = "${id}-${name}", path = name }] }
    }],
    [for volume in [var.volume] : { name = "data", persistentVolumeClaim = { claimName = var.name } } if volume != null],
  )
  mounts = concat(
    [{ name = "tmp", mountPath = "/tmp" }],
    [for folder, id in local.folders : { name = id, mountPath = folder, readOnly = true }],
    [for volume in [var.volume] : { name = "data", mountPath = volume.path } if volume != null],
  )

  probe = merge(
    var.probe.path == null ? null : { httpGet = { path = var.probe.path, port = var.probe.port } },
    var.probe.path != null ? null : { tcpSocket = { port = var.probe.port } },
  )

  container = merge(
    {
      name         = var.name
      image        = var.image
      ports        = [for name, port in var.ports : { name = name, containerPort = port, protocol = "TCP" }]
      env          = [for name, value in var.environment : { name = name, value = value }]
      volumeMounts = local.mounts
      resources    = var.resources
      securityContext = {
        runAsNonRoot             = true
        readOnlyRootFilesystem   = true
        allowPrivilegeEscalation = false
        capabilities             = { drop = ["ALL"] }
      }
      startupProbe   = merge(local.probe, { periodSeconds = 5, failureThreshold = 60 })
      readinessProbe = merge(local.probe, { periodSeconds = 10, timeoutSeconds = 5 })
      livenessProbe  = merge(local.probe, { periodSeconds = 20, timeoutSeconds = 10, failureThreshold = 6 })
    },
    length(var.args) == 0 ? null : { args = var.args },
    local.has_secrets ? { envFrom = [{ secretRef = { name = var.name } }] } : null,
  )
}

resource "kubectl_manifest" "config" {
  server_side_apply = true
  force_conflicts   = true

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = local.metadata
    data       = local.data
  })
}

resource "kubectl_manifest" "secret" {
  count             = local.has_secrets ? 1 : 0
  server_side_apply = true
  force_conflicts   = true
  sensitive_fields  = ["data"]

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "Secret"
    metadata   = local.metadata
    type       = "Opaque"
    data       = { for key, value in var.secret_environment : key => base64encode(value) }
  })
}

resource "kubectl_manifest" "volume" {
  count             = var.volume == null ? 0 : 1
  server_side_apply = true
  force_conflicts   = true
  apply_only        = var.volume.keep

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "PersistentVolumeClaim"
    metadata   = local.metadata
    spec = merge(
      { accessModes = ["ReadWriteOnce"], resources = { requests = { storage = var.volume.size } } },
      var.volume.storage_class_name == null ? null : { storageClassName = var.volume.storage_class_name },
    )
  })
}

resource "kubectl_manifest" "service" {
  server_side_apply = true
  force_conflicts   = true

  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "Service"
    metadata   = local.metadata
    spec = {
      selector = local.selector
      ports    = [for name, port in var.ports : { name = name, port = port, targetPort = name, protocol = "TCP" }]
    }
  })
}

resource "kubectl_manifest" "network_policy" {
  server_side_apply = true
  force_conflicts   = true

  yaml_body = yamlencode({
    apiVersion = "networking.k8s.io/v1"
    kind       = "NetworkPolicy"
    metadata   = local.metadata
    spec = {
      podSelector = { matchLabels = local.selector }
      policyTypes = ["Ingress"]
      ingress = [merge(
        { ports = [for name in keys(var.ports) : { port = name, protocol = "TCP" }] },
        var.open_to_everybody ? null : { from = [{ podSelector = {} }] },
      )]
    }
  })
}

resource "kubectl_manifest" "deployment" {
  server_side_apply = true
  force_conflicts   = true
  wait_for_rollout  = true
  depends_on        = [kubectl_manifest.config, kubectl_manifest.secret, kubectl_manifest.volume]

  yaml_body = yamlencode({
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = local.metadata
    spec = {
      replicas             = 1
      revisionHistoryLimit = 3
      strategy             = { type = "Recreate" }
      selector             = { matchLabels = local.selector }
      template = {
        metadata = {
          labels = local.metadata.labels
          annotations = {
            "em-metrics/config"  = sha256(jsonencode(local.data))
            "em-metrics/secrets" = nonsensitive(substr(sha256(jsonencode(var.secret_environment)), 0, 8))
          }
        }
        spec = {
          automountServiceAccountToken = false
          enableServiceLinks           = false
          securityContext = {
            runAsNonRoot        = true
            runAsUser           = var.user
            runAsGroup          = var.user
            fsGroup             = var.user
            fsGroupChangePolicy = "OnRootMismatch"
            seccompProfile      = { type = "RuntimeDefault" }
          }
          containers = [local.container]
          volumes    = local.volumes
        }
      }
    }
  })
}

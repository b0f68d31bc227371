# The pods, and who they are: nobody. Not root, no capability, no token of the cluster, nothing to write to but
# the volume and /tmp.

variable "drain_seconds" {
  description = "How long a pod that is to end goes on serving, until no router sends it anything: then a rolling update drops no request. 0: not at all, for clusters older than 1.30. With SQLite it ends at once, as its successor waits for it."
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

resource "kubectl_manifest" "service_account" {
  server_side_apply = true
  force_conflicts   = true
  depends_on        = [kubectl_manifest.namespace]

  yaml_body = yamlencode({
    apiVersion                   = "v1"
    kind                         = "ServiceAccount"
    metadata                     = local.metadata
    automountServiceAccountToken = false
  })
}

locals {
  # Pods read their configuration at the start, so they are replaced when it changes.
  checksums = {
    "em-metrics/config" = sha256(jsonencode(var.config))
    # eight digits show a change, and are too few to check guesses of a secret with
    "em-metrics/secrets"         = nonsensitive(substr(sha256(jsonencode([local.secret_data, var.tokens])), 0, 8))
    "em-metrics/secrets-version" = var.secrets_version
  }

  probe = {
    for path in ["live", "ready"] : path => { httpGet = { path = "/health/${path}", port = "http" } }
  }

  # each null is left out
  mounts = {
    config = {
      at = { mountPath = "/etc/em-metrics", readOnly = true }
      from = merge(
        local.file_is_open ? { configMap = { name = var.name } } : null,
        local.file_is_open ? null : { secret = { secretName = local.config_secret } },
      )
    }
    tmp  = { at = { mountPath = "/tmp" }, from = { emptyDir = { sizeLimit = "256Mi" } } }
    data = local.sqlite ? { at = { mountPath = "/data" }, from = { persistentVolumeClaim = { claimName = local.claim } } } : null
  }
}

resource "kubectl_manifest" "deployment" {
  server_side_apply = true
  force_conflicts   = true
  wait_for_rollout  = var.wait_for_rollout
  depends_on = [
    kubectl_manifest.namespace, kubectl_manifest.service_account, kubectl_manifest.config, kubectl_manifest.secret,
    kubectl_manifest.config_secret, kubectl_manifest.volume, kubectl_manifest.network_policy,
  ]

  lifecycle {
    precondition {
      condition     = local.lets_somebody_in
      error_message = "Nobody could sign in: each start would make a token of its own. Set tokens, existing_secret, existing_config_secret, or a password in secret_environment."
    }
  }

  yaml_body = yamlencode({
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = local.metadata
    spec = merge(
      {
        revisionHistoryLimit = 3
        selector             = { matchLabels = local.selector }
        # SQLite's file is one process's at a time; with PostgreSQL the old pods serve until the new ones do
        strategy = merge(
          { type = local.sqlite ? "Recreate" : "RollingUpdate" },
          local.sqlite ? null : { rollingUpdate = { maxSurge = 1, maxUnavailable = 0 } },
        )
        template = {
          metadata = { labels = local.labels, annotations = local.checksums }
          spec = merge(
            {
              serviceAccountName            = var.name
              automountServiceAccountToken  = false
              enableServiceLinks            = false
              terminationGracePeriodSeconds = var.termination_grace_seconds
              securityContext = {
                runAsNonRoot        = true
                runAsUser           = 65532
                runAsGroup          = 65532
                fsGroup             = 65532
                fsGroupChangePolicy = "OnRootMismatch"
                seccompProfile      = { type = "RuntimeDefault" }
              }
              containers = [local.container]
              volumes    = [for name, mount in local.mounts : merge({ name = name }, mount.from) if mount != null]
            },
            local.placement,
          )
        }
      },
      # else every apply would undo what the autoscaler did
      var.autoscaling == null ? { replicas = var.replicas } : null,
    )
  })
}

locals {
  container = merge(
    {
      name            = "em-metrics"
      image           = var.image
      imagePullPolicy = var.image_pull_policy
      ports           = [{ name = "http", containerPort = local.port, protocol = "TCP" }]
      env             = [for name, value in local.environment : { name = name, value = value }]
      securityContext = {
        runAsNonRoot             = true
        readOnlyRootFilesystem   = true
        allowPrivilegeEscalation = false
        capabilities             = { drop = ["ALL"] }
      }
      # a start may bring a large database up to date
      startupProbe   = merge(local.probe.live, { periodSeconds = 2, timeoutSeconds = 5, failureThreshold = 300 })
      livenessProbe  = merge(local.probe.live, { periodSeconds = 10, timeoutSeconds = 5, failureThreshold = 6 })
      readinessProbe = merge(local.probe.ready, { periodSeconds = 5, timeoutSeconds = 5, failureThreshold = 3 })
      resources      = { requests = var.resources.requests, limits = var.resources.limits }
      volumeMounts   = [for name, mount in local.mounts : merge({ name = name }, mount.at) if mount != null]
    },
    local.secret_is_made || var.existing_secret != null ? { envFrom = [{ secretRef = { name = local.secret } }] } : null,
    # no shell is in the image, nor needed: the kubelet waits
    !local.sqlite && var.drain_seconds > 0 ? { lifecycle = { preStop = { sleep = { seconds = var.drain_seconds } } } } : null,
  )
}

variable "name" {
  description = "Name of all objects, and of the service."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "name: small letters, digits and hyphens, at most 40, beginning with a letter and not ending with a hyphen."
  }
}

variable "namespace" {
  description = "A namespace that is there."
  type        = string
  nullable    = false
}

variable "image" {
  description = "The image, with a tag or digest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image: name a tag other than latest, or a digest."
  }
}

variable "user" {
  description = "The user of the image, as a number."
  type        = number
  nullable    = false

  validation {
    condition     = var.user > 0
    error_message = "user: not root."
  }
}

variable "args" {
  description = "Arguments of its program."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "environment" {
  description = "Variables of its environment."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "secret_environment" {
  description = "Variables of its environment that are secret."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true
}

variable "files" {
  description = "Its files, by folder and name."
  type        = map(map(string))
  default     = {}
  nullable    = false
}

variable "ports" {
  description = "Ports by name. The service has the same."
  type        = map(number)
  nullable    = false
}

variable "probe" {
  description = "How it is asked whether it is well: a `path` on the `port` of that name, or whether the port is open."
  type        = object({ port = string, path = optional(string) })
  nullable    = false

  validation {
    condition     = contains(keys(var.ports), var.probe.port)
    error_message = "probe.port: the name of one of the ports."
  }
}

variable "volume" {
  description = "Where its volume is in the pod, how large, and of which class (null: the cluster's default). null: it has none."
  type        = object({ path = string, size = string, storage_class_name = optional(string), keep = optional(bool, true) })
  default     = null

  validation {
    condition     = var.volume == null || can(regex("^[1-9][0-9]*(Ki|Mi|Gi|Ti|k|M|G|T)$", var.volume.size))
    error_message = "volume.size: a number with its unit, such as 5Gi."
  }
}

variable "resources" {
  description = "What it asks for and may use."
  type        = object({ requests = map(string), limits = map(string) })
  nullable    = false
}

variable "open_to_everybody" {
  description = "Whether anybody may open connections to it. false: the pods of its namespace."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Name of all objects, and of the service."
  type        = string
  nullable    = false
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
}

variable "volume" {
  description = "Where its volume is in the pod, how large, and of which class (null: the cluster's default). null: it has none."
  type        = object({ path = string, size = string, storage_class_name = optional(string), keep = optional(bool, true) })
  default     = null
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

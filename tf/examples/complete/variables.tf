variable "image" {
  description = "The image of em-metrics."
  type        = string
}

variable "writer_token" {
  description = "The token of pipelines. `openssl rand -hex 32` makes one; TF_VAR_writer_token keeps it out of files."
  type        = string
  sensitive   = true
}

variable "reader_token" {
  description = "The token that Grafana asks with."
  type        = string
  sensitive   = true
}

variable "grafana_password" {
  description = "The password of Grafana's user admin."
  type        = string
  sensitive   = true
}

variable "keep_volumes" {
  description = "Whether `terraform destroy` leaves the database and the series."
  type        = bool
  default     = true
}

variable "wait_for_rollout" {
  description = "Whether an apply ends only when em-metrics is ready."
  type        = bool
  default     = true
}

# Keeps a volume from `terraform destroy`, and from changes that would make another one in its place, until it is said that
# it may go. `prevent_destroy` of Terraform cannot be left to a variable.

variable "claim" {
  description = "The `metadata[0]` of the claim."
  type        = object({ name = string, namespace = string, uid = string })
  nullable    = false
}

variable "keep" {
  description = "Whether the claim is kept."
  type        = bool
  nullable    = false
}

locals {
  name = "${var.claim.namespace}/${var.claim.name}"
}

# Whatever would take the claim away has to take this away first, and cannot.
resource "terraform_data" "keep" {
  input            = var.keep ? "The volume ${local.name} is kept. If it may be lost, set its keep = false, apply that, and do this again" : null
  triggers_replace = var.claim.uid

  provisioner "local-exec" {
    when    = destroy
    quiet   = true
    command = self.input == null ? "exit 0" : "echo ${self.input}. && exit 1"
  }
}

output "keeps" {
  description = "Whether the claim is kept."
  value       = var.keep
}

output "id" {
  description = "What has to go before the claim can."
  value       = terraform_data.keep.id
}

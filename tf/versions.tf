terraform {
  # validation of one variable by another
  required_version = ">= 1.9"

  required_providers {
    # Applies objects as they are written, by server-side apply. So every field of the Kubernetes API can be said, a
    # plan needs no cluster, and a kind that the cluster does not know yet (a service monitor) does no harm to it.
    kubectl = {
      source  = "gavinbunney/kubectl"
      version = "~> 1.19"
    }
  }
}

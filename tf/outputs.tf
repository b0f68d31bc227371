output "namespace" {
  description = "The namespace that everything is in."
  value       = local.namespace
}

output "service" {
  description = "The name of the service."
  value       = var.name
}

output "pods" {
  description = "The name behind which DNS has the addresses of all pods, to scrape each."
  value       = "${var.name}-pods"
}

output "cluster_url" {
  description = "The address inside the cluster, for EM_METRICS_URL of pipelines that run there."
  value       = "http://${var.name}.${var.namespace}.svc:${var.service.port}"
}

output "url" {
  description = "The address from outside; null without `ingress`."
  value       = var.ingress == null ? null : "https://${var.ingress.host}"
}

output "url" {
  description = "EM_METRICS_URL of the pipelines."
  value       = module.em_metrics.url
}

output "cluster_url" {
  description = "The address inside the cluster."
  value       = module.em_metrics.cluster_url
}

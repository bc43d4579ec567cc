output "repositories" {
  description = "Name of each repository → its address."
  value       = module.registry.repositories
}

output "store" {
  description = "What HEADWAY_STORE is set to."
  value       = module.evidence.store
}

output "artifacts" {
  description = "ARN of that bucket."
  value       = module.evidence.arn
}

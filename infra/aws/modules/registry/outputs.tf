output "repositories" {
  description = "Name of each repository → its address."
  value       = { for name, one in aws_ecr_repository.image : name => one.repository_url }
}

output "arns" {
  description = "ARNs of the repositories."
  value       = [for one in aws_ecr_repository.image : one.arn]
}

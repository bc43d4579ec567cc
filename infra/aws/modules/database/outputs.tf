output "identifier" {
  description = "What it is called, for backups and for access by name."
  value       = var.name
}

output "arn" {
  description = "The instance, or the cluster."
  value       = local.aurora ? aws_rds_cluster.main[0].arn : aws_db_instance.main[0].arn
}

output "kind" {
  description = "instance or aurora."
  value       = var.kind
}

output "host" {
  description = "Where it is reached."
  value       = local.aurora ? aws_rds_cluster.main[0].endpoint : aws_db_instance.main[0].address
}

output "port" {
  description = "On which port."
  value       = 5432
}

output "database" {
  description = "Name of the database in it."
  value       = var.database
}

output "owner_secret" {
  description = "Secret of its owner, which AWS rotates; applications get a role of their own."
  value       = local.aurora ? aws_rds_cluster.main[0].master_user_secret[0].secret_arn : aws_db_instance.main[0].master_user_secret[0].secret_arn
}

output "client_security_group" {
  description = "Whoever carries it reaches the database."
  value       = aws_security_group.client.id
}

output "subnet_group" {
  description = "Where copies of it are restored."
  value       = aws_db_subnet_group.main.name
}

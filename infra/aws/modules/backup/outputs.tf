output "vault" {
  description = "Name of the vault."
  value       = aws_backup_vault.main.name
}

output "copy_vault" {
  description = "ARN of the vault in the second region."
  value       = aws_backup_vault.copy.arn
}

output "role" {
  description = "As whom backups are taken and restored."
  value       = aws_iam_role.backup.arn
}

output "copy_vault_name" {
  description = "Name of the vault in the second region."
  value       = aws_backup_vault.copy.name
}

output "role_name" {
  description = "Name of that role."
  value       = aws_iam_role.backup.name
}

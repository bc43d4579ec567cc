output "roles" {
  description = "Phase → its role, as the block of the environment names them."
  value       = { for phase, role in aws_iam_role.phase : phase => role.arn }
}

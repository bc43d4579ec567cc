output "bucket" {
  description = "What a backend names as its bucket."
  value       = aws_s3_bucket.state.bucket
}

output "lock_table" {
  description = "What a backend names as its dynamodb_table, or none."
  value       = one(aws_dynamodb_table.lock[*].name)
}

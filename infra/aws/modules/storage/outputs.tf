output "attachments" {
  description = "Bucket of what users upload."
  value       = aws_s3_bucket.one["attachments"].bucket
}

output "audit" {
  description = "Bucket of logs."
  value       = aws_s3_bucket.one["audit"].bucket
}

output "policy" {
  description = "What the application may do with them, as JSON."
  value       = data.aws_iam_policy_document.application.json
}

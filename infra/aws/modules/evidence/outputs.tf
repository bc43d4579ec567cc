output "store" {
  description = "What HEADWAY_STORE is set to."
  value       = "s3://${aws_s3_bucket.evidence.bucket}/${var.prefix}"
}

output "arn" {
  description = "The bucket."
  value       = aws_s3_bucket.evidence.arn
}

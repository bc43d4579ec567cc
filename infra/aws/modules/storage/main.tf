# Buckets of the application: what users upload, and logs that show who did what.

locals {
  buckets = { attachments = var.attachments, audit = var.audit }
}

resource "aws_s3_bucket" "one" {
  for_each            = local.buckets
  bucket              = each.value
  object_lock_enabled = each.key == "audit"
  force_destroy       = each.key == "attachments" && var.force_destroy
}

resource "aws_s3_bucket_versioning" "one" {
  for_each = aws_s3_bucket.one
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "one" {
  for_each = aws_s3_bucket.one
  bucket   = each.value.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "audit" ? "AES256" : "aws:kms" # the load balancer writes with no other
      kms_master_key_id = each.key == "audit" ? null : var.kms_key
    }
  }
}

resource "aws_s3_bucket_public_access_block" "one" {
  for_each                = aws_s3_bucket.one
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "one" {
  for_each = aws_s3_bucket.one
  bucket   = each.value.id
  rule {
    id     = "earlier versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = each.key == "audit" ? var.audit_days : var.earlier_version_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
  depends_on = [aws_s3_bucket_versioning.one]
}

resource "aws_s3_bucket_cors_configuration" "attachments" {
  count  = length(var.origins) > 0 ? 1 : 0
  bucket = aws_s3_bucket.one["attachments"].id
  cors_rule {
    allowed_methods = ["PUT", "GET"]
    allowed_origins = var.origins
    allowed_headers = ["content-type", "content-length"]
    max_age_seconds = 600
  }
}

data "aws_service_principal" "log_delivery" {
  service_name = "logdelivery.elasticloadbalancing"
}

data "aws_iam_policy_document" "bucket" {
  for_each = aws_s3_bucket.one
  statement {
    sid       = "OverTlsAlone"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  dynamic "statement" {
    for_each = each.key == "audit" ? [1] : []
    content {
      sid       = "LogsOfLoadBalancers"
      actions   = ["s3:PutObject"]
      resources = ["${each.value.arn}/*"]
      principals {
        type        = "Service"
        identifiers = [data.aws_service_principal.log_delivery.name]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "one" {
  for_each = aws_s3_bucket.one
  bucket   = each.value.id
  policy   = data.aws_iam_policy_document.bucket[each.key].json
}

# What the application may do with what users upload; audit logs it writes and cannot change.
data "aws_iam_policy_document" "application" {
  statement {
    sid       = "Attachments"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.one["attachments"].arn}/*"]
  }
  statement {
    sid       = "AuditLogs"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.one["audit"].arn}/*"]
  }
}

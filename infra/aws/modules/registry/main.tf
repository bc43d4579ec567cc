# Image repositories whose tags nobody moves, scanned at each push, pulled by other accounts of the team.

resource "aws_ecr_repository" "image" {
  for_each             = var.repositories
  name                 = each.key
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key == null ? "AES256" : "KMS"
    kms_key         = var.kms_key
  }
}

# An image that is in use is never among the newest only by chance: releases keep theirs by a tag of their own.
resource "aws_ecr_lifecycle_policy" "image" {
  for_each   = aws_ecr_repository.image
  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "images without a tag"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = var.untagged_days }
      action       = { type = "expire" }
    }]
  })
}

data "aws_iam_policy_document" "pull" {
  count = length(var.pulling_accounts) > 0 ? 1 : 0
  statement {
    sid     = "PullFromOtherAccounts"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:DescribeImages"]
    principals {
      type        = "AWS"
      identifiers = [for account in var.pulling_accounts : "arn:aws:iam::${account}:root"]
    }
  }
}

resource "aws_ecr_repository_policy" "pull" {
  for_each   = length(var.pulling_accounts) > 0 ? aws_ecr_repository.image : {}
  repository = each.value.name
  policy     = data.aws_iam_policy_document.pull[0].json
}

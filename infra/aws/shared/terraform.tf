terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
  # bucket, key and region come from headway.yaml (infrastructure.backend) or -backend-config.
  backend "s3" {
    use_lockfile = true
  }
}

locals {
  local = var.aws_endpoint != "" # a local AWS, which is told all that differs from AWS
  tags  = { app = var.app, environment = "shared", revision = var.revision, owner = var.owner, expiry = var.expiry }
}

provider "aws" {
  region                      = var.region
  skip_credentials_validation = local.local
  skip_metadata_api_check     = local.local ? "true" : null
  s3_use_path_style           = local.local
  max_retries                 = local.local ? 2 : null
  dynamic "endpoints" {
    for_each = local.local ? [var.aws_endpoint] : []
    content {
      dynamodb       = endpoints.value
      ec2            = endpoints.value
      ecr            = endpoints.value
      iam            = endpoints.value
      kms            = endpoints.value
      s3             = endpoints.value
      secretsmanager = endpoints.value
      sts            = endpoints.value
    }
  }
  default_tags {
    tags = { for key, value in local.tags : key => value if value != "" }
  }
}

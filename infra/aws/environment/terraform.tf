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
  tags  = { app = var.app, environment = terraform.workspace, revision = var.revision, owner = var.owner, expiry = var.expiry }
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
      applicationautoscaling = endpoints.value
      backup                 = endpoints.value
      cloudwatch             = endpoints.value
      codedeploy             = endpoints.value
      cognitoidp             = endpoints.value
      ec2                    = endpoints.value
      ecr                    = endpoints.value
      ecs                    = endpoints.value
      elbv2                  = endpoints.value
      events                 = endpoints.value
      iam                    = endpoints.value
      kms                    = endpoints.value
      lambda                 = endpoints.value
      logs                   = endpoints.value
      rds                    = endpoints.value
      s3                     = endpoints.value
      secretsmanager         = endpoints.value
      sns                    = endpoints.value
      sqs                    = endpoints.value
      sts                    = endpoints.value
    }
  }
  default_tags {
    tags = { for key, value in local.tags : key => value if value != "" }
  }
}

# Where backups are copied to.
provider "aws" {
  alias                       = "copy"
  region                      = var.copy_region
  skip_credentials_validation = local.local
  skip_metadata_api_check     = local.local ? "true" : null
  s3_use_path_style           = local.local
  max_retries                 = local.local ? 2 : null
  dynamic "endpoints" {
    for_each = local.local ? [var.aws_endpoint] : []
    content {
      applicationautoscaling = endpoints.value
      backup                 = endpoints.value
      cloudwatch             = endpoints.value
      codedeploy             = endpoints.value
      cognitoidp             = endpoints.value
      ec2                    = endpoints.value
      ecr                    = endpoints.value
      ecs                    = endpoints.value
      elbv2                  = endpoints.value
      events                 = endpoints.value
      iam                    = endpoints.value
      kms                    = endpoints.value
      lambda                 = endpoints.value
      logs                   = endpoints.value
      rds                    = endpoints.value
      s3                     = endpoints.value
      secretsmanager         = endpoints.value
      sns                    = endpoints.value
      sqs                    = endpoints.value
      sts                    = endpoints.value
    }
  }
  default_tags {
    tags = { for key, value in local.tags : key => value if value != "" }
  }
}

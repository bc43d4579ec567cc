# Backups of what holds data: every day, copied into a second region, under a lock, and restored as a test.

terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws, aws.copy]
    }
  }
}

resource "aws_backup_vault" "main" {
  name          = var.name
  kms_key_arn   = var.kms_key
  force_destroy = var.force_destroy
}

resource "aws_backup_vault" "copy" {
  provider      = aws.copy
  name          = "${var.name}-copy"
  kms_key_arn   = var.copy_kms_key
  force_destroy = var.force_destroy
}

resource "aws_backup_vault_lock_configuration" "main" {
  count              = var.lock ? 1 : 0
  backup_vault_name  = aws_backup_vault.main.name
  min_retention_days = var.keep_days
  max_retention_days = 365
}

resource "aws_backup_vault_lock_configuration" "copy" {
  count              = var.lock ? 1 : 0
  provider           = aws.copy
  backup_vault_name  = aws_backup_vault.copy.name
  min_retention_days = var.copy_keep_days
  max_retention_days = 365
}

resource "aws_backup_plan" "main" {
  name = var.name
  rule {
    rule_name                = "daily"
    target_vault_name        = aws_backup_vault.main.name
    schedule                 = var.schedule
    start_window             = 60
    completion_window        = 300
    enable_continuous_backup = false # a copy into another region is a snapshot; any second is RDS's own affair

    lifecycle {
      delete_after = var.keep_days
    }

    copy_action {
      destination_vault_arn = aws_backup_vault.copy.arn
      lifecycle {
        delete_after = var.copy_keep_days
      }
    }
  }
}

data "aws_service_principal" "backup" {
  service_name = "backup"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [data.aws_service_principal.backup.name]
    }
  }
}

resource "aws_iam_role" "backup" {
  name               = "${var.name}-aws-backup"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each   = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])
  role       = aws_iam_role.backup.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.key}"
}

resource "aws_backup_selection" "main" {
  name         = var.name
  plan_id      = aws_backup_plan.main.id
  iam_role_arn = aws_iam_role.backup.arn
  resources    = var.resources
}

resource "aws_backup_restore_testing_plan" "main" {
  count               = var.restore_schedule == null ? 0 : 1
  name                = replace(var.name, "-", "_") # no dashes in the names of these
  schedule_expression = var.restore_schedule
  start_window_hours  = 24

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.main.arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = 7
  }
}

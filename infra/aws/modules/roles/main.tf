# A role for each phase of a delivery, which Headway assumes for it and nobody else can.

data "aws_caller_identity" "me" {}

data "aws_service_principal" "passed" {
  for_each     = toset(["ecs-tasks", "ecs", "backup"])
  service_name = each.key
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = var.trusted
    }
    dynamic "condition" {
      for_each = var.external_id == null ? [] : [1]
      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [var.external_id]
      }
    }
  }
}

locals {
  account  = data.aws_caller_identity.me.account_id
  here     = "${var.region}:${local.account}"
  there    = "${coalesce(var.copy_region, var.region)}:${local.account}"
  regions  = toset(var.copy_region == null ? [local.here] : [local.here, local.there])
  clusters = concat(["${local.here}:cluster/${var.cluster}"], var.second_cluster == null ? [] : ["${local.there}:cluster/${var.second_cluster}"])
  services = "arn:aws:ecs:${local.here}:service/${var.cluster}/*"
  phases = {
    publish = data.aws_iam_policy_document.publish.json
    migrate = data.aws_iam_policy_document.migrate.json
    release = data.aws_iam_policy_document.release.json
    backup  = data.aws_iam_policy_document.backup.json
  }
}

resource "aws_iam_role" "phase" {
  for_each             = local.phases
  name                 = "${var.name}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  max_session_duration = 14400
}

resource "aws_iam_role_policy" "phase" {
  for_each = local.phases
  name     = each.key
  role     = aws_iam_role.phase[each.key].id
  policy   = each.value
}

data "aws_iam_policy_document" "publish" {
  statement {
    sid       = "Login" # ecr:GetAuthorizationToken knows no resource
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository",
      "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = ["arn:aws:ecr:${local.here}:repository/${var.repository_prefix}*"]
  }
}

data "aws_iam_policy_document" "tasks" {
  statement {
    sid       = "Definitions" # these know no resource, or only *
    actions   = ["ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:ListTasks"]
    resources = ["*"]
  }
  statement {
    sid       = "Tasks"
    actions   = ["ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks", "ecs:TagResource"]
    resources = ["*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [for one in local.clusters : "arn:aws:ecs:${one}"]
    }
  }
  statement {
    sid       = "Cluster"
    actions   = ["ecs:DescribeClusters"]
    resources = [for one in local.clusters : "arn:aws:ecs:${one}"]
  }
  statement {
    sid       = "AsTheirRoles"
    actions   = ["iam:PassRole"]
    resources = concat(var.passed_roles, var.second_roles)
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for one in ["ecs-tasks", "ecs"] : data.aws_service_principal.passed[one].name]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams"]
    resources = concat(["arn:aws:logs:${local.here}:log-group:/headway/${var.cluster}*"], var.second_cluster == null ? [] : ["arn:aws:logs:${local.there}:log-group:/headway/${var.second_cluster}*"])
  }
  statement {
    sid       = "FilesOfTasks"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.artifacts}/*"]
  }
  statement {
    sid       = "SecretsOfTasks"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:TagResource"]
    resources = [for one in local.regions : "arn:aws:secretsmanager:${one}:secret:headway/*"]
  }
}

data "aws_iam_policy_document" "migrate" {
  source_policy_documents = [data.aws_iam_policy_document.tasks.json]
  statement {
    sid       = "Database"
    actions   = ["rds:DescribeDBInstances", "rds:DescribeDBClusters"]
    resources = flatten([for one in local.regions : ["arn:aws:rds:${one}:db:*", "arn:aws:rds:${one}:cluster:*"]])
  }
  statement {
    sid       = "SecretsOfTheDatabase"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = [for one in local.regions : "arn:aws:secretsmanager:${one}:secret:rds!*"]
  }
}

data "aws_iam_policy_document" "release" {
  source_policy_documents = [data.aws_iam_policy_document.tasks.json]
  statement {
    sid = "Services"
    actions = [
      "ecs:ContinueServiceDeployment", "ecs:CreateTaskSet", "ecs:DeleteTaskSet", "ecs:DescribeServiceDeployments",
      "ecs:DescribeServiceRevisions", "ecs:DescribeServices", "ecs:DescribeTaskSets", "ecs:ListServiceDeployments",
      "ecs:StopServiceDeployment", "ecs:UpdateService", "ecs:UpdateServicePrimaryTaskSet",
    ]
    resources = [
      local.services,
      "arn:aws:ecs:${local.here}:service-deployment/${var.cluster}/*",
      "arn:aws:ecs:${local.here}:service-revision/${var.cluster}/*",
      "arn:aws:ecs:${local.here}:task-set/${var.cluster}/*",
    ]
  }
  statement {
    sid = "CodeDeploy"
    actions = [
      "codedeploy:BatchGetDeployments", "codedeploy:BatchGetDeploymentTargets", "codedeploy:ContinueDeployment", "codedeploy:CreateDeployment",
      "codedeploy:CreateDeploymentConfig", "codedeploy:GetApplicationRevision", "codedeploy:GetDeployment",
      "codedeploy:GetDeploymentConfig", "codedeploy:GetDeploymentGroup", "codedeploy:GetDeploymentTarget",
      "codedeploy:ListDeploymentTargets", "codedeploy:ListDeployments", "codedeploy:PutLifecycleEventHookExecutionStatus",
      "codedeploy:RegisterApplicationRevision", "codedeploy:StopDeployment",
    ]
    resources = [
      "arn:aws:codedeploy:${local.here}:application:${var.cluster}",
      "arn:aws:codedeploy:${local.here}:deploymentgroup:${var.cluster}/*",
      "arn:aws:codedeploy:${local.here}:deploymentconfig:*",
    ]
  }
  dynamic "statement" {
    for_each = length(var.hooks) > 0 ? [1] : []
    content {
      sid       = "Hooks"
      actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      resources = var.hooks
    }
  }
  statement {
    sid = "LookAtTraffic" # none of these knows a resource
    actions = [
      "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListAlarmMuteRules", "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }
  statement {
    sid       = "LookBefore" # none of these knows a resource
    actions   = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "logs:DescribeLogGroups", "servicequotas:GetServiceQuota"]
    resources = ["*"]
  }
  statement {
    sid       = "LookAtTheBucket"
    actions   = ["s3:ListBucket"]
    resources = [var.artifacts]
  }
  statement {
    sid       = "MoveTraffic"
    actions   = ["elasticloadbalancing:ModifyRule"]
    resources = ["arn:aws:elasticloadbalancing:${local.here}:listener-rule/app/${var.cluster}/*"]
  }
  statement {
    sid       = "Scale"
    actions   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:RegisterScalableTarget"]
    resources = ["arn:aws:application-autoscaling:${local.here}:scalable-target/*"]
  }
}

data "aws_iam_policy_document" "backup" {
  statement {
    sid = "Snapshots"
    actions = [
      "rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "rds:DescribeDBInstances",
      "rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBSnapshots", "rds:ListTagsForResource",
      "rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime",
    ]
    resources = [
      "arn:aws:rds:${local.here}:db:*", "arn:aws:rds:${local.here}:snapshot:*", "arn:aws:rds:${local.here}:subgrp:*",
      "arn:aws:rds:${local.here}:pg:*", "arn:aws:rds:${local.here}:og:*", "arn:aws:rds:${local.here}:auto-backup:*",
    ]
  }
  statement {
    sid       = "SecretsOfRestoredDatabases"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
    resources = [for one in local.regions : "arn:aws:secretsmanager:${one}:secret:rds!*"]
  }
  statement {
    sid = "RestoredThere"
    actions = [
      "rds:AddTagsToResource", "rds:DeleteDBInstance", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ListTagsForResource",
      "rds:ModifyDBInstance",
    ]
    resources = ["arn:aws:rds:${local.there}:db:*", "arn:aws:rds:${local.there}:snapshot:*"]
  }
  statement {
    sid       = "Vaults"
    actions   = ["backup:CopyIntoBackupVault", "backup:ListRecoveryPointsByBackupVault", "backup:StartBackupJob"]
    resources = flatten([for one in local.regions : [for vault in var.vaults : "arn:aws:backup:${one}:backup-vault:${vault}"]])
  }
  statement {
    sid = "RecoveryPoints" # those of RDS are its snapshots
    actions = [
      "backup:DescribeRecoveryPoint", "backup:GetRecoveryPointRestoreMetadata", "backup:StartCopyJob", "backup:StartRestoreJob", "backup:TagResource",
    ]
    resources = flatten([for one in local.regions : ["arn:aws:rds:${one}:snapshot:awsbackup:*", "arn:aws:backup:${one}:recovery-point:*"]])
  }
  statement {
    sid = "LookAtBackupJobs" # none of these knows a resource
    actions = [
      "backup:DescribeBackupJob", "backup:DescribeCopyJob", "backup:DescribeRestoreJob", "backup:ListCopyJobs", "backup:ListRestoreJobs",
    ]
    resources = ["*"]
  }
  dynamic "statement" {
    for_each = var.backup_role == null ? [] : [1]
    content {
      sid       = "AsTheRoleOfBackups"
      actions   = ["iam:PassRole"]
      resources = ["arn:aws:iam::${local.account}:role/${var.backup_role}"]
      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = [data.aws_service_principal.passed["backup"].name]
      }
    }
  }
}

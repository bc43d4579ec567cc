# A role for each phase of a delivery, which Headway assumes for it and nobody else can.

data "aws_caller_identity" "me" {}

data "aws_service_principal" "passed" {
  for_each     = toset(["ecs-tasks", "ecs"])
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
      values   = ["arn:aws:ecs:${local.here}:cluster/${var.cluster}"]
    }
  }
  statement {
    sid       = "Cluster"
    actions   = ["ecs:DescribeClusters"]
    resources = ["arn:aws:ecs:${local.here}:cluster/${var.cluster}"]
  }
  statement {
    sid       = "AsTheirRoles"
    actions   = ["iam:PassRole"]
    resources = var.passed_roles
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for one in data.aws_service_principal.passed : one.name]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams"]
    resources = ["arn:aws:logs:${local.here}:log-group:/headway/${var.cluster}*"]
  }
  statement {
    sid       = "FilesOfTasks"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.artifacts}/*"]
  }
  statement {
    sid       = "SecretsOfTasks"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:TagResource"]
    resources = ["arn:aws:secretsmanager:${local.here}:secret:headway/*"]
  }
}

data "aws_iam_policy_document" "migrate" {
  source_policy_documents = [data.aws_iam_policy_document.tasks.json]
  statement {
    sid       = "Database"
    actions   = ["rds:DescribeDBInstances", "rds:DescribeDBClusters"]
    resources = ["arn:aws:rds:${local.here}:db:*", "arn:aws:rds:${local.here}:cluster:*"]
  }
  statement {
    sid       = "SecretsOfTheDatabase"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = ["arn:aws:secretsmanager:${local.here}:secret:rds!*"]
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
      "rds:DescribeDBSnapshots", "rds:ListTagsForResource", "rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime",
    ]
    resources = [
      "arn:aws:rds:${local.here}:db:*", "arn:aws:rds:${local.here}:snapshot:*", "arn:aws:rds:${local.here}:subgrp:*",
      "arn:aws:rds:${local.here}:pg:*", "arn:aws:rds:${local.here}:og:*",
    ]
  }
  statement {
    sid = "BackupJobs"
    actions = [
      "backup:DescribeBackupJob", "backup:DescribeCopyJob", "backup:DescribeRecoveryPoint", "backup:DescribeRestoreJob",
      "backup:GetRecoveryPointRestoreMetadata", "backup:ListRecoveryPointsByBackupVault", "backup:PutRestoreValidationResult",
      "backup:StartBackupJob", "backup:StartCopyJob", "backup:StartRestoreJob",
    ]
    resources = ["arn:aws:backup:*:${local.account}:backup-vault:${var.name}*", "arn:aws:backup:*:${local.account}:recovery-point:*"]
  }
}

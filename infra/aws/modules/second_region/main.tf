# What a database is restored into in the region that backups are copied to, and tasks that read it there. It costs
# nothing while nothing is restored: no gateway, no instance, no task.

data "aws_caller_identity" "me" {}

module "network" {
  source = "../network"
  name   = var.name
  region = var.region
  cidr   = var.cidr
  nat    = "none"
}

resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = module.network.private_subnets
}

resource "aws_db_parameter_group" "main" {
  name   = var.name
  family = var.family

  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "immediate"
  }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "Who reaches a restored database"
  vpc_id      = module.network.vpc_id
}

resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "Tasks that read a restored database"
  vpc_id      = module.network.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "tasks" {
  security_group_id            = aws_security_group.database.id
  description                  = "Tasks that read it"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = aws_security_group.tasks.id
}

# Tasks pull images from a public registry, and read secrets: addresses that nobody knows beforehand.
#trivy:ignore:AWS-0104
resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.tasks.id
  description       = "Images, secrets, logs and the restored database"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_ecs_cluster" "main" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/headway/${var.name}"
  retention_in_days = 30
}

data "aws_service_principal" "tasks" {
  service_name = "ecs-tasks"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [data.aws_service_principal.tasks.name]
    }
  }
}

# As whom ECS pulls images, reads the secrets of a task and writes its logs there.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "SecretsOfTasks"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:aws:secretsmanager:${var.region}:${data.aws_caller_identity.me.account_id}:secret:headway/*"]
  }
}

resource "aws_iam_role_policy" "secrets" {
  name   = "secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets.json
}

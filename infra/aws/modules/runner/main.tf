# Where flows run as tasks of a cluster: an ECS work pool of Prefect. Builds and test cells go to a remote Docker engine:
# Fargate has none.

resource "aws_ecs_cluster" "flows" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "flows" {
  name              = "/headway/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key
}

resource "aws_security_group" "flows" {
  name        = var.name
  description = "Flows reach what they deliver to; nobody reaches them"
  vpc_id      = var.vpc_id
}

# Flows speak to AWS, to registries and to engines whose addresses nobody knows beforehand.
#trivy:ignore:AWS-0104
resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.flows.id
  description       = "AWS, the Prefect server, engines"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
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

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

# The key of the Prefect server is handed over by reference; nobody sees it in a definition.
data "aws_iam_policy_document" "key" {
  statement {
    sid       = "KeyOfThePrefectServer"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.prefect_key]
  }
}

resource "aws_iam_role_policy" "key" {
  name   = "prefect"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.key.json
}

# A flow does everything as the role of its phase.
resource "aws_iam_role" "flows" {
  name               = "${var.name}-flows"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "flows" {
  statement {
    sid       = "AsTheRolesOfPhases"
    actions   = ["sts:AssumeRole"]
    resources = var.phase_roles
  }
  statement {
    sid       = "ArtifactStore"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"]
    resources = ["${var.artifacts}/*"]
  }
  statement {
    sid       = "ListArtifacts"
    actions   = ["s3:ListBucket", "s3:GetBucketObjectLockConfiguration"]
    resources = [var.artifacts]
  }
}

resource "aws_iam_role_policy" "flows" {
  name   = "flows"
  role   = aws_iam_role.flows.id
  policy = data.aws_iam_policy_document.flows.json
}

resource "aws_ecs_task_definition" "flows" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.flows.arn

  container_definitions = jsonencode([{
    name      = "prefect" # what Prefect's ECS worker looks for
    image     = var.image
    essential = true
    environment = [
      { name = "DOCKER_HOST", value = var.engine },
      { name = "HEADWAY_STORE", value = var.store },
      { name = "PREFECT_API_URL", value = var.prefect_api },
    ]
    secrets = [{ name = "PREFECT_API_AUTH_STRING", valueFrom = var.prefect_key }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.flows.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "flow"
      }
    }
  }])
}

# A cluster of Fargate with services behind a load balancer, each with two target groups, for blue-green by ECS itself
# or by CodeDeploy. What a release changes (revision, weights, count) is the pipeline's: here it is ignored.

locals {
  by_codedeploy = var.deployer == "codedeploy"
  answering     = { for name, one in var.services : name => one if one.port != null }
  colours       = merge([for name, one in local.answering : { for colour in ["blue", "green"] : "${name}-${colour}" => { service = name, colour = colour } }]...)
}

resource "aws_ecs_cluster" "main" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/headway/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "Users reach the load balancer"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "users" {
  for_each          = { for pair in setproduct(var.certificate == null ? [80] : [80, 443], var.users) : "${pair[0]}-${pair[1]}" => pair }
  security_group_id = aws_security_group.balancer.id
  description       = "Users on port ${each.value[0]}"
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[0]
  cidr_ipv4         = each.value[1]
}

resource "aws_vpc_security_group_ingress_rule" "testers" {
  for_each          = var.testers
  security_group_id = aws_security_group.balancer.id
  description       = "Checks of a release before users get it"
  ip_protocol       = "tcp"
  from_port         = var.test_port
  to_port           = var.test_port
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_egress_rule" "to_tasks" {
  for_each                     = toset([for one in local.answering : tostring(one.port)])
  security_group_id            = aws_security_group.balancer.id
  description                  = "The load balancer reaches tasks"
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
  referenced_security_group_id = aws_security_group.tasks.id
}

resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "Tasks of the services"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  for_each                     = toset([for one in local.answering : tostring(one.port)])
  security_group_id            = aws_security_group.tasks.id
  description                  = "Only the load balancer reaches tasks"
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_ingress_rule" "testers_to_tasks" {
  for_each          = { for pair in setproduct(toset([for one in local.answering : tostring(one.port)]), var.testers) : "${pair[0]}-${pair[1]}" => pair }
  security_group_id = aws_security_group.tasks.id
  description       = "Each task is asked which version it serves"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value[0])
  to_port           = tonumber(each.value[0])
  cidr_ipv4         = each.value[1]
}

# Tasks pull images, and call what the application calls: addresses that nobody knows beforehand.
#trivy:ignore:AWS-0104
resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.tasks.id
  description       = "Images, secrets, logs and whatever the application calls"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# Users are on the internet; `internal` is for those who are not.
#trivy:ignore:AWS-0053
resource "aws_lb" "main" {
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.balancer_subnets
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected

  dynamic "access_logs" {
    for_each = var.access_logs_bucket == null ? [] : [var.access_logs_bucket]
    content {
      bucket  = access_logs.value
      prefix  = var.name
      enabled = true
    }
  }
}

resource "aws_lb_target_group" "colour" {
  for_each             = local.colours
  name                 = "${substr(var.name, 0, 16)}-${substr(each.value.service, 0, 9)}-${each.value.colour}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = local.answering[each.value.service].port
  deregistration_delay = var.drain_seconds

  health_check {
    path                = local.answering[each.value.service].health_path
    matcher             = local.answering[each.value.service].health_codes
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

# Without a rule that fits nobody is served: no service answers for another. With a certificate HTTP only leads to HTTPS.
#trivy:ignore:AWS-0054
resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = var.certificate == null ? "fixed-response" : "redirect"
    dynamic "redirect" {
      for_each = var.certificate == null ? [] : [1]
      content {
        port        = "443"
        protocol    = "HTTPS"
        status_code = "HTTP_301"
      }
    }
    dynamic "fixed_response" {
      for_each = var.certificate == null ? [1] : []
      content {
        content_type = "text/plain"
        status_code  = "404"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count             = var.certificate == null ? 0 : 1
  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

# HTTP where there is no certificate at all, and reached from the testers' networks alone.
#trivy:ignore:AWS-0054
resource "aws_lb_listener" "test" {
  load_balancer_arn = aws_lb.main.arn
  port              = var.test_port
  protocol          = var.certificate == null ? "HTTP" : "HTTPS"
  certificate_arn   = var.certificate
  ssl_policy        = var.certificate == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

locals {
  listeners = {
    production = var.certificate == null ? aws_lb_listener.http.arn : aws_lb_listener.https[0].arn
    test       = aws_lb_listener.test.arn
  }
  rules = merge([for name, one in local.answering : { for kind in ["production", "test"] : "${name}-${kind}" => { service = name, kind = kind } }]...)
}

# ECS asks for both target groups on the production rule; the weights are those of the last release.
resource "aws_lb_listener_rule" "service" {
  for_each     = local.rules
  listener_arn = local.listeners[each.value.kind]
  priority     = local.answering[each.value.service].priority

  condition {
    path_pattern {
      values = local.answering[each.value.service].paths
    }
  }

  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.colour["${each.value.service}-blue"].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.colour["${each.value.service}-green"].arn
        weight = 0
      }
    }
  }

  lifecycle {
    ignore_changes = [action]
  }
}

# What a service runs before its first release, and never afterwards: releases derive theirs from the one that runs.
resource "aws_ecs_task_definition" "first" {
  for_each                 = var.services
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  container_definitions = jsonencode([{
    name         = each.key
    image        = each.value.image
    essential    = true
    portMappings = each.value.port == null ? [] : [{ containerPort = each.value.port, protocol = "tcp" }]
    environment  = [for key in sort(keys(each.value.env)) : { name = key, value = each.value.env[key] }]
    secrets      = [for key in sort(keys(each.value.secrets)) : { name = key, valueFrom = each.value.secrets[key] }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.tasks.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])

  lifecycle {
    ignore_changes = [container_definitions, cpu, memory]
  }
}

resource "aws_ecs_service" "service" {
  for_each         = var.services
  name             = each.key
  cluster          = aws_ecs_cluster.main.id
  task_definition  = aws_ecs_task_definition.first[each.key].arn
  desired_count    = 0
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"

  health_check_grace_period_seconds = each.value.port == null ? null : each.value.grace_seconds

  deployment_controller {
    type = local.by_codedeploy && each.value.port != null ? "CODE_DEPLOY" : "ECS"
  }

  # A service that no load balancer knows rolls, and goes back by itself.
  dynamic "deployment_circuit_breaker" {
    for_each = each.value.port == null ? [1] : []
    content {
      enable   = true
      rollback = true
    }
  }

  network_configuration {
    subnets          = var.task_subnets
    security_groups  = concat([aws_security_group.tasks.id], var.task_security_groups)
    assign_public_ip = var.public_tasks
  }

  dynamic "load_balancer" {
    for_each = each.value.port == null ? [] : [1]
    content {
      target_group_arn = aws_lb_target_group.colour["${each.key}-blue"].arn
      container_name   = each.key
      container_port   = each.value.port
    }
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count, load_balancer, deployment_controller, deployment_circuit_breaker, network_configuration, alarms]
  }
  depends_on = [aws_lb_listener_rule.service]
}

resource "aws_codedeploy_app" "main" {
  count            = local.by_codedeploy ? 1 : 0
  name             = var.name
  compute_platform = "ECS"
}

resource "aws_codedeploy_deployment_group" "service" {
  for_each               = local.by_codedeploy ? local.answering : {}
  app_name               = aws_codedeploy_app.main[0].name
  deployment_group_name  = each.key
  service_role_arn       = aws_iam_role.codedeploy[0].arn
  deployment_config_name = "CodeDeployDefault.ECSAllAtOnce"

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }

  dynamic "alarm_configuration" {
    for_each = length(var.alarms) > 0 ? [1] : []
    content {
      alarms  = var.alarms
      enabled = true
    }
  }

  # Nobody shifts traffic but whoever says so, and what was replaced stands until it is not needed any more.
  blue_green_deployment_config {
    deployment_ready_option {
      action_on_timeout    = "STOP_DEPLOYMENT"
      wait_time_in_minutes = var.ready_wait_minutes
    }
    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = var.termination_wait_minutes
    }
  }

  ecs_service {
    cluster_name = aws_ecs_cluster.main.name
    service_name = aws_ecs_service.service[each.key].name
  }

  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route {
        listener_arns = [local.listeners.production]
      }
      test_traffic_route {
        listener_arns = [local.listeners.test]
      }
      target_group {
        name = aws_lb_target_group.colour["${each.key}-blue"].name
      }
      target_group {
        name = aws_lb_target_group.colour["${each.key}-green"].name
      }
    }
  }
}

output "cluster" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.main.name
}

output "services" {
  description = "Service → its name, target groups and listener rules: what a release needs."
  value = {
    for name, one in var.services : name => {
      service         = aws_ecs_service.service[name].name
      family          = aws_ecs_task_definition.first[name].family
      port            = one.port
      blue            = one.port == null ? null : aws_lb_target_group.colour["${name}-blue"].arn
      green           = one.port == null ? null : aws_lb_target_group.colour["${name}-green"].arn
      production_rule = one.port == null ? null : aws_lb_listener_rule.service["${name}-production"].arn
      test_rule       = one.port == null ? null : aws_lb_listener_rule.service["${name}-test"].arn
    }
  }
}

output "url" {
  description = "Where users reach it."
  value       = "${var.certificate == null ? "http" : "https"}://${aws_lb.main.dns_name}"
}

output "test_url" {
  description = "Where a release is reached before users get it."
  value       = "${var.certificate == null ? "http" : "https"}://${aws_lb.main.dns_name}:${var.test_port}"
}

output "balancer" {
  description = "The load balancer, as metrics name it."
  value       = aws_lb.main.arn_suffix
}

output "target_groups" {
  description = "Target groups, as metrics name them."
  value       = { for name, one in aws_lb_target_group.colour : name => one.arn_suffix }
}

output "task_subnets" {
  description = "Subnets of tasks."
  value       = var.task_subnets
}

output "task_security_groups" {
  description = "Security groups of tasks."
  value       = concat([aws_security_group.tasks.id], var.task_security_groups)
}

output "execution_role" {
  description = "As whom tasks are started."
  value       = aws_iam_role.execution.arn
}

output "task_role" {
  description = "Whom the application is to AWS."
  value       = aws_iam_role.task.arn
}

output "traffic_role" {
  description = "As whom ECS moves traffic."
  value       = aws_iam_role.ecs.arn
}

output "log_group" {
  description = "Where tasks write."
  value       = aws_cloudwatch_log_group.tasks.name
}

output "codedeploy_app" {
  description = "Application of CodeDeploy, whose groups are called as services, or none."
  value       = one(aws_codedeploy_app.main[*].name)
}

output "codedeploy_hook" {
  description = "Function that CodeDeploy's hooks call, or none."
  value       = one(aws_lambda_function.relay[*].arn)
}

output "codedeploy_queue" {
  description = "Queue on which that function says that a deployment waits, or none."
  value       = one(aws_sqs_queue.hooks[*].url)
}

output "codedeploy_queue_arn" {
  description = "The same queue, for policies."
  value       = one(aws_sqs_queue.hooks[*].arn)
}

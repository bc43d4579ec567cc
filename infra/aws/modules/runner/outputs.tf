output "work_pool" {
  description = "What an ECS work pool of Prefect is told in its base job template."
  value = {
    cluster             = aws_ecs_cluster.flows.arn
    vpc_id              = var.vpc_id
    task_definition_arn = aws_ecs_task_definition.flows.arn
    task_role_arn       = aws_iam_role.flows.arn
    execution_role_arn  = aws_iam_role.execution.arn
    security_group      = aws_security_group.flows.id
  }
}

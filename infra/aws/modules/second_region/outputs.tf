output "subnet_group" {
  description = "DB subnet group that a database is restored into."
  value       = aws_db_subnet_group.main.name
}

output "security_groups" {
  description = "Security groups of a restored database."
  value       = [aws_security_group.database.id]
}

output "parameter_group" {
  description = "DB parameter group of a restored database."
  value       = aws_db_parameter_group.main.name
}

output "tasks" {
  description = "What tasks that read it run with."
  value = {
    cluster         = aws_ecs_cluster.main.name
    subnets         = module.network.public_subnets
    security_groups = [aws_security_group.tasks.id]
    execution_role  = aws_iam_role.execution.arn
    log_group       = aws_cloudwatch_log_group.tasks.name
    public_address  = true
  }
}

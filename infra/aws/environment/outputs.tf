output "service" {
  description = "Cluster, services, target groups and rules: what a release needs."
  value = {
    cluster              = module.service.cluster
    services             = module.service.services
    url                  = module.service.url
    test_url             = module.service.test_url
    codedeploy_app       = module.service.codedeploy_app
    codedeploy_hook      = module.service.codedeploy_hook
    codedeploy_queue     = module.service.codedeploy_queue
    task_subnets         = module.service.task_subnets
    task_security_groups = module.service.task_security_groups
    execution_role       = module.service.execution_role
    task_role            = module.service.task_role
    traffic_role         = module.service.traffic_role
    log_group            = module.service.log_group
    public_tasks         = var.nat == "none"
    bucket               = split(":::", var.artifacts)[1]
  }
}

output "database" {
  description = "Where the database is, and whose secret its owner has."
  value = {
    identifier   = module.database.identifier
    arn          = module.database.arn
    kind         = module.database.kind
    host         = module.database.host
    port         = module.database.port
    database     = module.database.database
    owner_secret = module.database.owner_secret
    subnet_group = module.database.subnet_group
  }
}

output "storage" {
  description = "Buckets of the application."
  value       = { attachments = module.storage.attachments, audit = module.storage.audit }
}

output "auth" {
  description = "Issuer, audience and keys of whoever signs users in, or none."
  value       = length(module.auth) == 0 ? null : { issuer = module.auth[0].issuer, audience = module.auth[0].audience, jwks = module.auth[0].jwks }
}

output "backup" {
  description = "Vaults and the role of backups."
  value       = { vault = module.backup.vault, copy_vault = module.backup.copy_vault, role = module.backup.role }
}

output "second_region" {
  description = "What a copied backup is restored with in the second region, or none."
  value = length(module.second_region) == 0 ? null : {
    subnet_group    = module.second_region[0].subnet_group
    security_groups = module.second_region[0].security_groups
    parameter_group = module.second_region[0].parameter_group
    tasks           = module.second_region[0].tasks
  }
}

output "roles" {
  description = "Phase → its role."
  value       = module.roles.roles
}

output "alarms" {
  description = "Alarms that stop a release."
  value       = var.stop_on_alarms ? module.monitoring.alarms : []
}

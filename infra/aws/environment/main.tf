# One environment of an application: the same for all of them, but for what its variables say.

locals {
  name = substr("${var.app}-${terraform.workspace}", 0, 16)
}

data "aws_caller_identity" "me" {}

module "network" {
  source = "../modules/network"
  name   = local.name
  region = var.region
  cidr   = var.cidr
  nat    = var.nat
}

module "database" {
  source         = "../modules/database"
  name           = local.name
  kind           = var.database.kind
  engine_version = var.database.version
  class          = var.database.class
  multi_az       = var.database.multi_az
  backup_days    = var.database.backup_days
  insights       = var.database.insights
  vpc_id         = module.network.vpc_id
  subnets        = module.network.private_subnets
  protected      = var.protected
  final_snapshot = var.final_snapshot
}

module "storage" {
  source        = "../modules/storage"
  attachments   = "${var.bucket_prefix}-${local.name}-attachments"
  audit         = "${var.bucket_prefix}-${local.name}-audit"
  origins       = var.origins
  force_destroy = !var.protected
}

module "auth" {
  source    = "../modules/auth"
  count     = var.auth == null ? 0 : 1
  name      = local.name
  region    = var.region
  kind      = var.auth.kind
  domain    = coalesce(var.auth.domain, "${var.bucket_prefix}-${local.name}")
  audience  = var.auth.audience
  callbacks = var.auth.callbacks
  logouts   = var.auth.logouts
  protected = var.protected
  endpoint  = var.aws_endpoint
}

module "service" {
  source                   = "../modules/service"
  name                     = local.name
  region                   = var.region
  deployer                 = var.deployer
  services                 = var.services
  vpc_id                   = module.network.vpc_id
  balancer_subnets         = module.network.public_subnets
  task_subnets             = var.nat == "none" ? module.network.public_subnets : module.network.private_subnets
  public_tasks             = var.nat == "none"
  task_security_groups     = [module.database.client_security_group]
  certificate              = var.certificate
  access_logs_bucket       = var.access_logs ? module.storage.audit : null
  testers                  = var.testers
  test_port                = var.test_port
  task_policies            = { storage = module.storage.policy }
  secrets                  = concat(["arn:aws:secretsmanager:${var.region}:${data.aws_caller_identity.me.account_id}:secret:headway/*"], var.secrets)
  ready_wait_minutes       = var.ready_wait_minutes
  termination_wait_minutes = var.termination_wait_minutes
  alarms                   = var.stop_on_alarms ? ["${local.name}-errors", "${local.name}-slow"] : []
  protected                = var.protected
}

module "backup" {
  source        = "../modules/backup"
  providers     = { aws = aws, aws.copy = aws.copy }
  name          = local.name
  resources     = [module.database.arn]
  lock          = var.protected
  force_destroy = !var.protected
}

module "second_region" {
  source    = "../modules/second_region"
  count     = var.second_region ? 1 : 0
  providers = { aws = aws.copy }
  name      = "${local.name}-copy"
  region    = var.copy_region
  family    = "postgres${split(".", var.database.version)[0]}"
}

module "monitoring" {
  source        = "../modules/monitoring"
  name          = local.name
  region        = var.region
  balancer      = module.service.balancer
  target_groups = module.service.target_groups
  database      = var.database.kind == "instance" ? module.database.identifier : null
  emails        = var.emails
}

module "roles" {
  source            = "../modules/roles"
  name              = local.name
  region            = var.region
  trusted           = var.trusted
  external_id       = var.external_id
  cluster           = module.service.cluster
  repository_prefix = "${var.registry_prefix}${var.app}/"
  passed_roles      = [module.service.execution_role, module.service.task_role, module.service.traffic_role]
  artifacts         = var.artifacts
  vaults            = [module.backup.vault, module.backup.copy_vault_name]
  backup_role       = module.backup.role_name
  copy_region       = var.copy_region
  second_cluster    = var.second_region ? "${local.name}-copy" : null
  second_roles      = [for one in module.second_region : one.tasks.execution_role]
  hooks             = var.deployer == "codedeploy" ? [module.service.codedeploy_queue_arn] : []
}

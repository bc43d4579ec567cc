# PostgreSQL on RDS, or Aurora that scales by itself; AWS keeps the password of its owner, who is nobody's application.

locals {
  aurora = var.kind == "aurora"
  family = "${local.aurora ? "aurora-postgresql" : "postgres"}${split(".", var.engine_version)[0]}"
}

resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = var.subnets
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "Who reaches the database"
  vpc_id      = var.vpc_id
}

# Tasks carry this group, so that a database needs to know none of them.
resource "aws_security_group" "client" {
  name        = "${var.name}-database-client"
  description = "Whoever carries it reaches the database"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  security_group_id            = aws_security_group.database.id
  description                  = "Clients of the database"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = aws_security_group.client.id
}

resource "aws_db_parameter_group" "main" {
  count  = local.aurora ? 0 : 1
  name   = var.name
  family = local.family

  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_min_duration_statement"
    value        = tostring(var.slow_statement_ms)
    apply_method = "immediate"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Its insights hold no data, only how long statements took: a key of AWS does.
#trivy:ignore:AWS-0078
resource "aws_db_instance" "main" {
  count      = local.aurora ? 0 : 1
  identifier = var.name

  engine                = "postgres"
  engine_version        = var.engine_version
  instance_class        = var.class
  allocated_storage     = var.storage_gb
  max_allocated_storage = var.most_storage_gb
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key

  db_name                       = var.database
  username                      = "master"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.main[0].name
  publicly_accessible    = false
  multi_az               = var.multi_az

  backup_retention_period   = var.backup_days
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  skip_final_snapshot       = !var.final_snapshot
  final_snapshot_identifier = var.final_snapshot ? "${var.name}-final" : null
  deletion_protection       = var.protected

  iam_database_authentication_enabled = true
  enabled_cloudwatch_logs_exports     = ["postgresql"]
  performance_insights_enabled        = var.insights
  auto_minor_version_upgrade          = true
}

resource "aws_rds_cluster" "main" {
  count              = local.aurora ? 1 : 0
  cluster_identifier = var.name

  engine            = "aurora-postgresql"
  engine_mode       = "provisioned"
  engine_version    = var.engine_version
  storage_encrypted = true
  kms_key_id        = var.kms_key

  database_name                 = var.database
  master_username               = "master"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]

  backup_retention_period      = var.backup_days
  preferred_backup_window      = "02:00-03:00"
  preferred_maintenance_window = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot        = true
  skip_final_snapshot          = !var.final_snapshot
  final_snapshot_identifier    = var.final_snapshot ? "${var.name}-final" : null
  deletion_protection          = var.protected

  iam_database_authentication_enabled = true
  enabled_cloudwatch_logs_exports     = ["postgresql"]

  serverlessv2_scaling_configuration {
    min_capacity = var.least_capacity
    max_capacity = var.most_capacity
  }
}

resource "aws_rds_cluster_instance" "main" {
  count                        = local.aurora ? (var.multi_az ? 2 : 1) : 0
  identifier                   = "${var.name}-${count.index}"
  cluster_identifier           = aws_rds_cluster.main[0].id
  engine                       = aws_rds_cluster.main[0].engine
  engine_version               = aws_rds_cluster.main[0].engine_version
  instance_class               = "db.serverless"
  publicly_accessible          = false
  performance_insights_enabled = var.insights
}

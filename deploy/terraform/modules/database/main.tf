locals {
  engines = {
    postgres = { port = 5432, version = "17", family = "postgres17", scheme = "postgres", tls = "sslmode=require", logs = ["postgresql", "upgrade"] }
    mysql    = { port = 3306, version = "8.4", family = "mysql8.4", scheme = "mysql", tls = "ssl-mode=REQUIRED", logs = ["error", "slowquery"] }
  }
  engine = local.engines[var.engine]

  # The smallest machines cannot do it with MySQL.
  insights = var.monitoring && var.engine == "postgres"

  parameters = {
    postgres = {
      "rds.force_ssl"              = "1"
      "log_statement"              = "ddl"
      "log_min_duration_statement" = "1000"
    }
    mysql = {
      "require_secure_transport" = "1"
      "slow_query_log"           = "1"
      "long_query_time"          = "1"
      "log_output"               = "FILE"
    }
  }[var.engine]
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "The database of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = var.clients

  security_group_id            = aws_security_group.this.id
  description                  = "From ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.engine.port
  to_port                      = local.engine.port
}

# ---- the password: made here, kept by Secrets Manager alone. None of it is in the state or in a plan.

ephemeral "aws_secretsmanager_random_password" "new" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "password" {
  #checkov:skip=CKV2_AWS_57:A new password needs new tasks; raise password_version, and apply does both
  name_prefix             = "${var.name}-database-"
  description             = "The password of the database of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "password" {
  secret_id                = aws_secretsmanager_secret.password.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.new.random_password
  secret_string_wo_version = var.password_version
}

# Read back, not passed on: where an apply stopped between the two, the next one gives the database the
# password that is kept.
ephemeral "aws_secretsmanager_secret_version" "kept" {
  secret_id = aws_secretsmanager_secret_version.password.secret_id
}

# ---- the database

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = local.engine.family

  dynamic "parameter" {
    for_each = local.parameters
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "monitoring" {
  name = "${var.name}-database-monitoring"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

data "aws_partition" "current" {}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = var.engine
  engine_version = local.engine.version
  instance_class = var.instance_class

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_max_gb
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_name             = "orderd"
  username            = "orderd"
  password_wo         = ephemeral.aws_secretsmanager_secret_version.kept.secret_string
  password_wo_version = var.password_version

  multi_az               = var.multi_az
  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name

  iam_database_authentication_enabled = true
  auto_minor_version_upgrade          = true
  backup_retention_period             = var.backup_days
  copy_tags_to_snapshot               = true
  deletion_protection                 = var.deletion_protection
  skip_final_snapshot                 = !var.deletion_protection
  final_snapshot_identifier           = "${var.name}-last"
  delete_automated_backups            = true

  enabled_cloudwatch_logs_exports = var.monitoring ? local.engine.logs : []
  monitoring_interval             = var.monitoring ? 60 : 0
  monitoring_role_arn             = var.monitoring ? aws_iam_role.monitoring.arn : null

  performance_insights_enabled    = local.insights
  performance_insights_kms_key_id = local.insights ? var.kms_key_arn : null
}

resource "aws_security_group" "this" {
  name        = "${var.name}-cache"
  description = "The Redis of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-cache" }

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
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

# Nothing is lost with it: orderd reads the database where it is away.
resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV_AWS_31:Its security group lets in the tasks alone; a password would stand in the state, and guards copies of answers
  replication_group_id = var.name
  description          = "Answers of ${var.name}"
  engine               = "redis"
  engine_version       = "7.1"
  parameter_group_name = "default.redis7"
  node_type            = var.node_type
  num_cache_clusters   = var.failover ? 2 : 1
  port                 = 6379

  automatic_failover_enabled = var.failover
  multi_az_enabled           = var.failover
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"

  auto_minor_version_upgrade = true
  apply_immediately          = true
}

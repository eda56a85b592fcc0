output "url" {
  description = "What orderd is told: REDIS_URL."
  value       = "rediss://${aws_elasticache_replication_group.this.primary_endpoint_address}:6379/0"
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}

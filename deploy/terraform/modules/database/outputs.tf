output "url" {
  description = "What orderd is told: DATABASE_URL. The password comes by itself."
  value       = "${local.engine.scheme}://orderd@${aws_db_instance.this.address}:${local.engine.port}/orderd?${local.engine.tls}"
}

output "password_secret" {
  description = "Where the password is: ORDERD_DATABASE_PASSWORD. With its version, as ECS names it, so that a new one starts new tasks."
  value       = "${aws_secretsmanager_secret.password.arn}:::${aws_secretsmanager_secret_version.password.version_id}"
}

output "port" {
  description = "The port that it listens on."
  value       = local.engine.port
}

output "identifier" {
  description = "What CloudWatch calls it."
  value       = aws_db_instance.this.identifier
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}

output "password_secret_arn" {
  description = "The secret that holds it."
  value       = aws_secretsmanager_secret.password.arn
}

output "public" {
  description = "Whether it has a public address."
  value       = aws_db_instance.this.publicly_accessible
}

output "name" {
  description = "The service."
  value       = aws_ecs_service.this.name
}

output "task_definition_family" {
  description = "Its task definition, whichever revision is the newest."
  value       = aws_ecs_task_definition.this.family
}

output "security_group_id" {
  description = "The security group of its tasks."
  value       = aws_security_group.this.id
}

output "registry_arn" {
  description = "Where Cloud Map knows it, if it does."
  value       = one(aws_service_discovery_service.this[*].arn)
}

output "role_arns" {
  description = "The roles of its tasks, and the one that starts them."
  value       = [aws_iam_role.task.arn, aws_iam_role.execution.arn]
}

output "service_arn" {
  description = "The ARN of the service."
  value       = aws_ecs_service.this.id
}

output "log_group" {
  description = "Where it logs."
  value       = aws_cloudwatch_log_group.this.name
}

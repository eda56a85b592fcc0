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

output "scaling" {
  description = "The fewest and the most tasks, where it scales."
  value       = one([for it in aws_appautoscaling_target.this : { min = it.min_capacity, max = it.max_capacity }])
}

output "scales_by" {
  description = "What auto scaling goes by."
  value = toset(concat(
    [for _ in aws_appautoscaling_policy.cpu : "cpu"],
    [for _ in aws_appautoscaling_policy.requests : "requests"],
  ))
}

output "public" {
  description = "Whether its tasks have public addresses."
  value       = aws_ecs_service.this.network_configuration[0].assign_public_ip
}

output "ingress" {
  description = "What may reach its port."
  value       = toset(keys(aws_vpc_security_group_ingress_rule.this))
}

output "policies" {
  description = "What its tasks may, as JSON."
  value       = jsonencode(values(var.policies))
}

output "secrets" {
  description = "Which of its settings come from where they are kept secret, as JSON."
  value       = jsonencode(var.secrets)
}

output "name" {
  description = "The function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "Its ARN."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "Its role."
  value       = aws_iam_role.this.arn
}

output "log_group" {
  description = "Where it logs."
  value       = aws_cloudwatch_log_group.this.name
}

output "policies" {
  description = "What it may, as JSON."
  value       = jsonencode(values(var.policies))
}

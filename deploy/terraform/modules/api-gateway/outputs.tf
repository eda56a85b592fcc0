output "endpoint" {
  description = "Where the API is reached."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "id" {
  description = "The API."
  value       = aws_apigatewayv2_api.this.id
}

output "security_group_id" {
  description = "What private integrations are reached from."
  value       = one(aws_security_group.link[*].id)
}

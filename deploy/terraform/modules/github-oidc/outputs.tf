output "deploy_role_arn" {
  description = "The role for deployments: role-to-assume of aws-actions/configure-aws-credentials."
  value       = aws_iam_role.deploy.arn
}

output "push_role_arn" {
  description = "The role that may push images and nothing else."
  value       = aws_iam_role.push.arn
}

output "plan_role_arn" {
  description = "The role for plans of pull requests; null where there is none."
  value       = one(aws_iam_role.plan[*].arn)
}

output "trust" {
  description = "Who may take which role, as JSON."
  value       = local.trust
}

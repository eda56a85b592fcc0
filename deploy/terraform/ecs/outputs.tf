locals {
  endpoint = local.gateway ? module.gateway[0].endpoint : module.balancer[0].endpoint
}

output "http_api_endpoint" {
  description = "Where the API is reached. A certificate is for a name of your own: let that point here."
  value       = local.endpoint
}

output "try" {
  description = "Places an order; ask for it by GET with the order_id that comes back."
  value = join(" ", compact([
    "curl -X POST ${local.endpoint}/v1/orders",
    "-H 'Content-Type: application/json' -H 'Idempotency-Key: first'",
    var.anonymous == "write" ? "" : "-H \"Authorization: Bearer $ORDERD_TOKEN\"",
    "-d '{\"customer_id\": \"ada\", \"lines\": [{\"item_id\": \"pen\", \"quantity\": 1}]}'",
  ]))
}

output "make_a_token" {
  description = "Makes a token that may place orders, and shows it; it is in the log of the API from then on."
  value = join(" ", [
    "aws --no-cli-pager ecs run-task --region ${local.region} --cluster ${aws_ecs_cluster.this.name} --launch-type FARGATE",
    "--task-definition ${module.api.task_definition_family}",
    "--network-configuration 'awsvpcConfiguration={subnets=[${join(",", module.network.private_subnet_ids)}],securityGroups=[${module.api.security_group_id}],assignPublicIp=DISABLED}'",
    "--overrides '{\"containerOverrides\":[{\"name\":\"orderd\",\"command\":[\"token\",\"create\",\"--scope\",\"write\"]}]}'",
    "&& sleep 60 && aws logs tail --region ${local.region} ${module.api.log_group} --since 5m",
  ])
}

output "database_url" {
  description = "What orderd calls the database; its password is in database_password_secret_arn."
  value       = local.database.url
}

output "database_password_secret_arn" {
  description = "Where the password of the database is kept."
  value       = split(":::", local.database.password_secret_arn)[0]
}

output "image" {
  description = "The image that tasks run."
  value       = module.registry.image
}

output "dashboard_url" {
  description = "Its graphs and alarms."
  value       = module.observability.dashboard_url
}

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.observability.topic_arn
}

output "github_roles" {
  description = "The roles for workflows of GitHub, where a repository is named."
  value = one([for github in module.github : {
    deploy = github.deploy_role_arn
    push   = github.push_role_arn
    plan   = github.plan_role_arn
  }])
}

output "repository_url" {
  description = "Where images can be pushed: ECR_REPOSITORY of the workflows."
  value       = module.registry.repository_url
}

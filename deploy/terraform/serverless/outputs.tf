output "http_api_endpoint" {
  description = "Where the API is reached."
  value       = module.gateway.endpoint
}

output "try" {
  description = "Places an order; ask for it by GET with the order_id that comes back."
  value = join(" ", compact([
    "curl -X POST ${module.gateway.endpoint}/orders/",
    "-H 'Content-Type: application/json'",
    var.anonymous == "write" ? "" : "-H \"Authorization: Bearer $ORDERD_TOKEN\"",
    "-d '{\"customer_name\": \"Ada\", \"product_name\": \"Fountain pen\", \"quantity\": 1}'",
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

output "topic_arn" {
  description = "The topic of all events; more queues may listen to it."
  value       = module.events.topic_arn
}

output "completed_topic_arn" {
  description = "The topic of orders that are completed."
  value       = module.events.completed_topic_arn
}

output "queue_url" {
  description = "The queue of orders that are to be worked on."
  value       = module.queue.url
}

output "dead_letter_queue_url" {
  description = "Its dead letters: orderd dlq --queue URL list."
  value       = module.queue.dead_letter_url
}

output "database_url" {
  description = "What orderd calls the tables."
  value       = module.table.url
}

output "function_name" {
  description = "The function."
  value       = module.worker.name
}

output "image" {
  description = "The image that the API runs."
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

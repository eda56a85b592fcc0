output "http_api_endpoint" {
  description = "Where the API is reached, as the emulator tells it: needs a host name of its own."
  value       = module.gateway.endpoint
}

output "http_api_url" {
  description = "The same by a path, which needs no host name. What comes behind it is the path of the API."
  value       = "${var.endpoint_url}/_aws/execute-api/${module.gateway.id}/$default"
}

output "topic_arn" {
  description = "SNS_TOPIC_ARN of the API."
  value       = module.events.topic_arn
}

output "completed_topic_arn" {
  description = "COMPLETION_SNS_TOPIC_ARN of the API."
  value       = module.events.completed_topic_arn
}

output "queue_url" {
  description = "The queue that the function works on."
  value       = module.queue.url
}

output "dead_letter_queue_url" {
  description = "Its dead letters."
  value       = module.queue.dead_letter_url
}

output "table_prefix" {
  description = "What the names of the tables begin with."
  value       = module.table.prefix
}

output "database_url" {
  description = "DATABASE_URL of the API."
  value       = module.table.url
}

output "function_name" {
  description = "The function."
  value       = module.worker.name
}

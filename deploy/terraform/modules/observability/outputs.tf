output "topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
}

output "alarms" {
  description = "The alarms: what each is about."
  value       = { for key, alarm in local.alarms : key => alarm.what }
}

output "dashboard_url" {
  description = "Where they are seen."
  value       = "https://${data.aws_region.current.name}.console.aws.amazon.com/cloudwatch/home#dashboards/dashboard/${var.name}"
}

output "topic_arn" {
  description = "The topic of all events."
  value       = aws_sns_topic.this["events"].arn
}

output "completed_topic_arn" {
  description = "The topic of orders that are completed."
  value       = aws_sns_topic.this["completed"].arn
}

output "policy" {
  description = "The right to publish to both, as JSON."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = [aws_sns_topic.this["events"].arn, aws_sns_topic.this["completed"].arn]
    }]
  })
}

output "completed_policy" {
  description = "The right to publish to the second alone, as JSON."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sns:Publish", Resource = aws_sns_topic.this["completed"].arn }]
  })
}

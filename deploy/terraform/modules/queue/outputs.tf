output "url" {
  description = "The queue."
  value       = aws_sqs_queue.this.url
}

output "arn" {
  description = "Its ARN."
  value       = aws_sqs_queue.this.arn
}

output "name" {
  description = "Its name."
  value       = local.name
}

output "dead_letter_url" {
  description = "The queue of its dead letters."
  value       = aws_sqs_queue.dead.url
}

output "dead_letter_arn" {
  description = "Its ARN."
  value       = aws_sqs_queue.dead.arn
}

output "dead_letter_name" {
  description = "The name of the queue of its dead letters."
  value       = local.dead
}

output "policy" {
  description = "What whoever works on its messages may, as JSON."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
          "sqs:ReceiveMessage",
        ]
        Resource = aws_sqs_queue.this.arn
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = aws_sqs_queue.dead.arn
      },
    ]
  })
}

output "visibility_timeout" {
  description = "For how many seconds a message that was taken is not given to others."
  value       = aws_sqs_queue.this.visibility_timeout_seconds
}

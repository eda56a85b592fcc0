locals {
  suffix = var.fifo ? ".fifo" : ""
  name   = "${var.prefix}order-processing-queue${local.suffix}"
  dead   = "${var.prefix}order-processing-dlq${local.suffix}"
}

resource "aws_sqs_queue" "dead" {
  name                      = local.dead
  fifo_queue                = var.fifo
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "this" {
  name                       = local.name
  fifo_queue                 = var.fifo
  visibility_timeout_seconds = var.visibility_timeout
  message_retention_seconds  = 345600
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

locals {
  only_tls = {
    for key, queue in { this = aws_sqs_queue.this, dead = aws_sqs_queue.dead } : key => {
      Sid                    = "OnlyTls"
      Effect                 = "Deny"
      Principal              = "*"
      Action                 = ["sqs:SendMessage", "sqs:ReceiveMessage"]
      Resource               = queue.arn
      Condition              = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  queue_url = aws_sqs_queue.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Topic"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this.arn
        Condition = { ArnEquals = { "aws:SourceArn" = var.topic_arn } }
      },
      local.only_tls.this,
    ]
  })
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy    = jsonencode({ Version = "2012-10-17", Statement = [local.only_tls.dead] })
}

resource "aws_sns_topic_subscription" "this" {
  topic_arn            = var.topic_arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this.arn
  raw_message_delivery = true

  # Without it workers would also be told of what they did themselves.
  filter_policy = jsonencode({ event_type = ["order.created.v1", "order.due.v1"] })

  depends_on = [aws_sqs_queue_policy.this]
}

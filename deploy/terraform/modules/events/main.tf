locals {
  suffix = var.fifo ? ".fifo" : ""
  topics = {
    events    = "${var.prefix}order-events${local.suffix}"
    completed = "${var.prefix}order-completed${local.suffix}"
  }
}

resource "aws_sns_topic" "this" {
  for_each = local.topics

  name              = each.value
  fifo_topic        = var.fifo
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topics

  arn = aws_sns_topic.this[each.key].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # Who may publish is said by the roles of this account; over plain HTTP nobody may.
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.this[each.key].arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

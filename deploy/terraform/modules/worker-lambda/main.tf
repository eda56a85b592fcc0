data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  log_group = "/aws/lambda/${var.name}"
  log_group_arn = join(":", [
    "arn", data.aws_partition.current.partition, "logs", data.aws_region.current.name,
    data.aws_caller_identity.current.account_id, "log-group", local.log_group,
  ])
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "this" {
  name = var.name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "own" {
  name = "logs-and-environment"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.log_group_arn}:*"
      }],
      [for key in [var.kms_key_arn] : {
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = key
      } if var.encrypted],
    )
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117:It reaches DynamoDB, SNS and SQS by its role; in a VPC all of that would need a NAT gateway
  #checkov:skip=CKV_AWS_272:Only the deploying role may replace its code; signing needs a build service of its own

  function_name = var.name
  description   = "Drives the orders that a queue names to their end"
  role          = aws_iam_role.this.arn

  package_type     = "Zip"
  filename         = var.zip
  source_code_hash = var.zip_base64sha256
  publish          = true
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]

  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency

  kms_key_arn = var.kms_key_arn
  environment {
    variables = var.environment
  }

  # orderd sends no spans: tracing would be billed and show nothing but the function's own duration.
  tracing_config {
    mode = "PassThrough"
  }

  # For who invokes it by hand and does not wait: what fails then goes where failed messages go.
  dead_letter_config {
    target_arn = var.dead_letter_arn
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.own, aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn        = var.queue_arn
  function_name           = aws_lambda_alias.live.arn
  batch_size              = var.batch_size
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}

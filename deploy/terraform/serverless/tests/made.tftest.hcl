mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  image           = "registry.example.org/orderd:1"
  payment_api_url = "https://payments.example.org/v1"
  function_zip    = "tests/function.zip.example"
}


run "queue" {
  command = plan

  module {
    source = "../modules/queue"
  }

  variables {
    topic_arn          = "arn:aws:sns:us-east-1:123456789012:order-events"
    visibility_timeout = 360
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 5
    error_message = "A message has to be tried five times."
  }
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead.sqs_managed_sse_enabled
    error_message = "Messages have to be encrypted."
  }
  assert {
    condition = [
      for it in jsondecode(aws_sqs_queue_policy.this.policy).Statement : it.Condition.ArnEquals["aws:SourceArn"]
      if it.Effect == "Allow"
    ] == ["arn:aws:sns:us-east-1:123456789012:order-events"]
    error_message = "Only the topic may send."
  }
  assert {
    condition     = jsondecode(aws_sns_topic_subscription.this.filter_policy).event_type == ["order.created.v1", "order.due.v1"]
    error_message = "Workers are to be told of what is due, and of nothing else."
  }
  assert {
    condition     = aws_sns_topic_subscription.this.raw_message_delivery
    error_message = "Messages have to come without an envelope."
  }
}

run "fifo" {
  command = plan

  module {
    source = "../modules/queue"
  }

  variables {
    topic_arn          = "arn:aws:sns:us-east-1:123456789012:order-events.fifo"
    visibility_timeout = 360
    fifo               = true
    prefix             = "second-"
  }

  assert {
    condition     = aws_sqs_queue.this.name == "second-order-processing-queue.fifo" && aws_sqs_queue.dead.fifo_queue
    error_message = "Both queues have to be FIFO, by their names, too."
  }
}

run "tables" {
  command = plan

  module {
    source = "../modules/table"
  }

  variables {
    prefix       = "shop"
    orders_table = "orders"
  }

  assert {
    condition     = [for key in sort(keys(output.names)) : output.names[key]] == ["shop-journal", "shop-keys", "orders", "shop-outbox", "shop-records"]
    error_message = "The tables have to be called as orderd calls them."
  }
  assert {
    condition     = output.url == "dynamodb://shop?orders=orders"
    error_message = "orderd has to be told of the other name."
  }
  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.billing_mode == "PAY_PER_REQUEST" && table.deletion_protection_enabled && table.point_in_time_recovery[0].enabled && table.server_side_encryption[0].enabled])
    error_message = "Each table is on demand, protected, recoverable and encrypted."
  }
  assert {
    condition     = toset([for key, table in aws_dynamodb_table.this : key if try(table.ttl[0].enabled, false)]) == toset(["keys", "records"])
    error_message = "Keys and records expire, and nothing else."
  }
  assert {
    condition = anytrue([
      for it in jsondecode(output.policy).Statement :
      it.Effect == "Deny" && it.Resource == aws_dynamodb_table.this["journal"].arn && toset(it.Action) == toset(["dynamodb:DeleteItem", "dynamodb:UpdateItem"])
    ])
    error_message = "Nothing may be changed in the journal or removed from it."
  }
  assert {
    condition     = !strcontains(output.policy, "dynamodb:Scan") && !strcontains(output.policy, "dynamodb:CreateTable") && !strcontains(output.policy, ":*\"")
    error_message = "Whoever serves needs no Scan, makes no table, and has no rights by a pattern."
  }
  assert {
    condition = anytrue([
      for it in jsondecode(output.policy_with_reset).Statement : it.Effect == "Deny" && it.Action == ["dynamodb:UpdateItem"]
    ])
    error_message = "A reset may remove what is in the journal, and still not change it."
  }
}

run "function" {
  command = plan

  module {
    source = "../modules/worker-lambda"
  }

  variables {
    name             = "orderd-worker"
    zip              = "tests/function.zip.example"
    zip_base64sha256 = "AAAA"
    architecture     = "arm64"
    environment      = { DATABASE_URL = "dynamodb://orderd" }
    policies         = { queue = "{}" }
    queue_arn        = "arn:aws:sqs:us-east-1:123456789012:order-processing-queue"
    dead_letter_arn  = "arn:aws:sqs:us-east-1:123456789012:order-processing-dlq"
    kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.batch_size == 5 && aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Five at a time, and each answered for by itself."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_name == aws_lambda_alias.live.arn && aws_lambda_alias.live.name == "live"
    error_message = "Messages go to the alias, so that a version can be taken back."
  }
}

run "stack" {
  command = plan

  variables {
    function_timeout  = 45
    github_repository = "owner/name"
  }

  assert {
    condition     = module.queue.visibility_timeout == 6 * 45
    error_message = "Messages have to be kept from others for six times the time-out of the function."
  }
  assert {
    condition     = module.api.scaling == { min = 2, max = 6 }
    error_message = "The API has to scale from 2 to 6 tasks."
  }
  assert {
    condition     = !module.api.public && module.api.ingress == toset(["gateway"])
    error_message = "Nothing but the gateway may reach the API."
  }
  assert {
    condition     = length(module.providers) == 0
    error_message = "Nothing is simulated where there is a payment service."
  }
  assert {
    condition = alltrue([
      for name in ["api", "worker"] : strcontains({ api = module.api.policies, worker = module.worker.policies }[name], "JournalIsAppendOnly")
    ])
    error_message = "The journal has to be append-only, for the API and for the function."
  }
  assert {
    condition     = strcontains(output.try, "Bearer $ORDERD_TOKEN")
    error_message = "Without a token nothing is placed, and the line to try has to say so."
  }
  assert {
    condition     = contains(keys(module.observability.alarms), "dead-letters") && contains(keys(module.observability.alarms), "tasks-orderd-api")
    error_message = "There have to be alarms."
  }
  assert {
    condition = jsondecode(module.github[0].trust.deploy).Statement[0].Condition.StringEquals == {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = ["repo:owner/name:environment:production"]
    }
    error_message = "One repository and one environment may deploy."
  }
}

run "simulated_and_open" {
  command = plan

  variables {
    payment_api_url    = null
    simulated_payments = true
    anonymous          = "write"
    api_max_count      = 2
    allow_reset        = true
  }

  assert {
    condition     = module.api.scaling == null
    error_message = "As many at least as at most: there is nothing to scale."
  }
  assert {
    condition     = length(module.providers) == 1 && module.providers[0].ingress == toset(["gateway"])
    error_message = "The simulated payments run, behind the gateway."
  }
  assert {
    condition     = !strcontains(output.try, "Bearer")
    error_message = "Strangers may place orders, so the line to try needs no token."
  }
  assert {
    condition     = strcontains(module.api.policies, "dynamodb:Scan") && !strcontains(module.worker.policies, "dynamodb:Scan")
    error_message = "The API may reset, the function may not."
  }
}

run "built_here" {
  command = plan

  variables {
    image        = null
    function_zip = null
  }

  assert {
    condition     = module.registry.is_ecr
    error_message = "It is planned before anything is built."
  }
}

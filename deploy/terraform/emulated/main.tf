# For the checks of this repository: tables, topics, queue, function and gateway as the serverless stack has
# them, on an emulator of AWS, and the API as a process on this machine.


module "encryption" {
  source = "../modules/encryption"

  name = var.name
}

module "table" {
  source = "../modules/table"

  prefix              = var.name
  orders_table        = var.orders_table
  deletion_protection = false
  kms_key_arn         = module.encryption.key_arn
}

module "events" {
  source = "../modules/events"

  prefix      = var.messaging_prefix
  fifo        = var.fifo
  kms_key_arn = module.encryption.key_arn
}

module "queue" {
  source = "../modules/queue"

  prefix             = var.messaging_prefix
  fifo               = var.fifo
  topic_arn          = module.events.topic_arn
  visibility_timeout = 6 * var.function_timeout
}

module "worker" {
  source = "../modules/worker-lambda"

  name             = "${var.name}-worker"
  zip              = var.function_zip
  zip_base64sha256 = filebase64sha256(var.function_zip)
  architecture     = var.architecture
  queue_arn        = module.queue.arn
  # Lambda takes no FIFO queue for it.
  dead_letter_arn = var.fifo ? null : module.queue.dead_letter_arn
  timeout         = var.function_timeout
  kms_key_arn     = module.encryption.key_arn

  policies = {
    orders     = module.table.policy
    completed  = module.events.completed_policy
    queue      = module.queue.policy
    encryption = module.encryption.policy
  }

  environment = merge(
    {
      DATABASE_URL             = module.table.url
      COMPLETION_SNS_TOPIC_ARN = module.events.completed_topic_arn
      ORDERD_EVENTS_FORMAT     = var.events_format
      PAYMENT_API_URL          = var.payment_api_url
      # An emulator does not tell a function where it is.
      AWS_ENDPOINT_URL = var.endpoint_url
    },
    var.function_environment,
  )
}

module "gateway" {
  source = "../modules/api-gateway"

  name        = var.name
  kms_key_arn = module.encryption.key_arn

  integrations = {
    api = { routes = ["$default"], uri = trimsuffix(var.api_url, "/"), path = "$request.path" }
  }
}

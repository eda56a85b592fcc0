data "aws_region" "current" {}

locals {
  root   = "${path.module}/../../.."
  region = data.aws_region.current.name

  # The function is outside of the VPC, so what is simulated is reached as clients reach the API.
  payment_api_url = var.simulated_payments ? "${module.gateway.endpoint}/simulated-payments" : var.payment_api_url
}

module "encryption" {
  source = "../modules/encryption"

  name = var.name
}

module "network" {
  source = "../modules/network"

  name               = var.name
  cidr               = var.vpc_cidr
  nat_gateways       = var.nat_gateways
  flow_logs          = var.flow_logs
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.encryption.key_arn
}

# ---- orders, and what is told of them

module "table" {
  source = "../modules/table"

  prefix              = var.name
  orders_table        = var.orders_table
  deletion_protection = var.deletion_protection
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
  max_receive_count  = var.max_receive_count
}

# ---- what is built

module "sources" {
  source = "../modules/sources"

  root = local.root
}

module "registry" {
  source = "../modules/registry"

  name         = var.name
  image        = var.image
  root         = local.root
  tag          = module.sources.tag
  architecture = var.architecture
  kms_key_arn  = module.encryption.key_arn
}

module "function_zip" {
  source = "../modules/build"

  what         = "function"
  given        = var.function_zip
  root         = local.root
  directory    = "${path.module}/.build"
  sources_hash = module.sources.hash
  architecture = var.architecture
}

# ---- the worker

module "worker" {
  source = "../modules/worker-lambda"

  name             = "${var.name}-worker"
  zip              = module.function_zip.path
  zip_base64sha256 = module.function_zip.base64sha256
  architecture     = var.architecture
  queue_arn        = module.queue.arn
  # Lambda takes no FIFO queue for it.
  dead_letter_arn         = var.fifo ? null : module.queue.dead_letter_arn
  timeout                 = var.function_timeout
  memory_size             = var.function_memory
  batch_size              = var.sqs_batch_size
  maximum_concurrency     = var.function_maximum_concurrency
  reserved_concurrency    = var.function_reserved_concurrency
  code_signing_config_arn = var.function_code_signing_config_arn
  log_retention_days      = var.log_retention_days
  kms_key_arn             = module.encryption.key_arn

  policies = {
    orders     = module.table.policy
    completed  = module.events.completed_policy
    queue      = module.queue.policy
    encryption = module.encryption.policy
  }

  environment = merge(
    {
      DATABASE_URL                 = module.table.url
      COMPLETION_SNS_TOPIC_ARN     = module.events.completed_topic_arn
      ORDERD_EVENTS_FORMAT         = var.events_format
      PAYMENT_API_URL              = local.payment_api_url
      POWERTOOLS_SERVICE_NAME      = "${var.name}-worker"
      POWERTOOLS_METRICS_NAMESPACE = var.name
    },
    var.inventory_api_url == null ? {} : { INVENTORY_API_URL = var.inventory_api_url },
    var.function_environment,
  )
}

# ---- the API

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${var.name}.internal"
  description = "Where the gateway finds tasks"
  vpc         = module.network.vpc_id
}

module "api" {
  source = "../modules/service-ecs"

  name               = "${var.name}-api"
  cluster_arn        = aws_ecs_cluster.this.arn
  cluster_name       = aws_ecs_cluster.this.name
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  image              = module.registry.image
  image_is_ecr       = module.registry.is_ecr
  repository_arn     = module.registry.repository_arn
  architecture       = var.architecture
  command            = ["serve", "--roles", "api"]
  port               = 8080
  healthcheck        = true
  cpu                = var.api_cpu
  memory             = var.api_memory
  min_count          = var.api_min_count
  max_count          = var.api_max_count
  wait               = var.wait_for_tasks
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.encryption.key_arn

  # The gateway wants to be told the port, too.
  registry = { namespace_id = aws_service_discovery_private_dns_namespace.this.id, name = "api", type = "SRV" }
  ingress  = { gateway = module.gateway.security_group_id }

  environment = merge(
    {
      AWS_REGION                    = local.region
      DATABASE_URL                  = module.table.url
      SNS_TOPIC_ARN                 = module.events.topic_arn
      COMPLETION_SNS_TOPIC_ARN      = module.events.completed_topic_arn
      ORDERD_EVENTS_FORMAT          = var.events_format
      ORDERD_ACCESS_ANONYMOUS       = var.anonymous
      ORDERD_SERVER_TRUSTED_PROXIES = module.network.cidr
      ORDERD_SERVER_CLIENT_HEADER   = "X-Real-IP"
      # As long as it takes until the gateway sends nobody here any more.
      ORDERD_SHUTDOWN_DELAY = "5s"
      ORDERD_LOG_FORMAT     = "json"
    },
    var.api_environment,
  )
  secrets = var.admin_password_secret_arn == null ? {} : { ADMIN_PASSWORD = var.admin_password_secret_arn }

  policies = {
    orders     = var.allow_reset ? module.table.policy_with_reset : module.table.policy
    events     = module.events.policy
    encryption = module.encryption.policy
  }
}

module "providers" {
  source = "../modules/service-ecs"
  count  = var.simulated_payments ? 1 : 0

  name               = "${var.name}-providers"
  cluster_arn        = aws_ecs_cluster.this.arn
  cluster_name       = aws_ecs_cluster.this.name
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  image              = module.registry.image
  image_is_ecr       = module.registry.is_ecr
  repository_arn     = module.registry.repository_arn
  architecture       = var.architecture
  command            = ["providers", "--listen", "0.0.0.0:8090", "--books", "books.jsonl"]
  port               = 8090
  data_volume        = true
  wait               = var.wait_for_tasks
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.encryption.key_arn

  registry    = { namespace_id = aws_service_discovery_private_dns_namespace.this.id, name = "providers", type = "SRV" }
  ingress     = { gateway = module.gateway.security_group_id }
  environment = { ORDERD_LOG_FORMAT = "json" }
}

module "gateway" {
  source = "../modules/api-gateway"

  name                = var.name
  requests_per_second = var.requests_per_second
  requests_at_once    = 2 * var.requests_per_second
  log_retention_days  = var.log_retention_days
  kms_key_arn         = module.encryption.key_arn

  vpc = {
    id         = module.network.vpc_id
    cidr       = module.network.cidr
    subnet_ids = module.network.private_subnet_ids
    ports      = var.simulated_payments ? [8080, 8090] : [8080]
  }

  integrations = merge(
    { api = { routes = ["$default"], uri = module.api.registry_arn, private = true } },
    var.simulated_payments ? {
      providers = {
        routes  = ["ANY /simulated-payments/{proxy+}"]
        uri     = module.providers[0].registry_arn
        private = true
        path    = "/payments/$request.path.proxy"
      }
    } : {},
  )
}

# ---- operation

module "observability" {
  source = "../modules/observability"

  name              = var.name
  email             = var.alarm_email
  queue             = { name = module.queue.name, dead_letters = module.queue.dead_letter_name }
  queue_age_seconds = var.queue_age_seconds
  function          = "${var.name}-worker"
  gateway           = { id = module.gateway.id }
  tables            = values(module.table.names)
  cluster           = var.name
  services          = { "${var.name}-api" = var.api_min_count }
  kms_key_arn       = module.encryption.key_arn
}

module "github" {
  source = "../modules/github-oidc"
  count  = var.github_repository == null ? 0 : 1

  name               = var.name
  repository         = var.github_repository
  deploy_from        = var.github_deploy_from
  provider_arn       = var.github_provider_arn
  repository_name    = var.name
  deploy_policy_arns = var.github_deploy_policy_arns
  plan_policy_arns   = var.github_plan_policy_arns
}

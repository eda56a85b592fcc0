data "aws_region" "current" {}

locals {
  root    = "${path.module}/../../.."
  region  = data.aws_region.current.name
  gateway = var.front == "gateway"

  payment_api_url = var.simulated_payments ? "http://providers.${aws_service_discovery_private_dns_namespace.this.name}:8090/payments" : var.payment_api_url

  # Services outside may listen on ports of their own; HTTPS is for AWS itself, and for webhooks.
  egress_ports = distinct(concat([443], [
    for url in compact([var.payment_api_url, var.inventory_api_url]) :
    try(tonumber(regex("^https?://[^/]*:([0-9]+)", url)[0]), startswith(url, "https:") ? 443 : 80)
  ]))

  database = var.existing_database != null ? var.existing_database : {
    url                 = module.database[0].url
    password_secret_arn = module.database[0].password_secret
    security_group_id   = module.database[0].security_group_id
    port                = module.database[0].port
  }

  egress = merge(
    { database = { security_group_id = local.database.security_group_id, port = local.database.port } },
    var.cache ? { cache = { security_group_id = module.cache[0].security_group_id, port = 6379 } } : {},
  )

  environment = merge(
    {
      DATABASE_URL      = local.database.url
      ORDERD_LOG_FORMAT = "json"
    },
    var.cache ? { REDIS_URL = module.cache[0].url } : {},
  )

  database_password = { ORDERD_DATABASE_PASSWORD = local.database.password_secret_arn }

  clients = { api = module.api.security_group_id, worker = module.worker.security_group_id }
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

# ---- orders

module "database" {
  source = "../modules/database"
  count  = var.existing_database == null ? 1 : 0

  name                = var.name
  engine              = var.database_engine
  instance_class      = var.database_instance_class
  storage_gb          = var.database_storage_gb
  storage_max_gb      = 5 * var.database_storage_gb
  multi_az            = var.database_multi_az
  backup_days         = var.database_backup_days
  password_version    = var.database_password_version
  monitoring          = var.database_monitoring
  deletion_protection = var.deletion_protection
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.private_subnet_ids
  clients             = local.clients
  kms_key_arn         = module.encryption.key_arn
}

module "cache" {
  source = "../modules/cache"
  count  = var.cache ? 1 : 0

  name        = var.name
  node_type   = var.cache_node_type
  failover    = var.cache_failover
  vpc_id      = module.network.vpc_id
  subnet_ids  = module.network.private_subnet_ids
  clients     = local.clients
  kms_key_arn = module.encryption.key_arn
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

# ---- what runs

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${var.name}.internal"
  description = "Where tasks are found by their names"
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
  cpu_target         = var.cpu_target
  wait               = var.wait_for_tasks
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.encryption.key_arn

  ingress = {
    for front, group in {
      gateway = one(module.gateway[*].security_group_id)
      alb     = one(module.balancer[*].security_group_id)
    } : front => group if front == var.front
  }
  egress       = local.egress
  egress_ports = local.egress_ports

  target_group_arns = local.gateway ? [] : [module.balancer[0].target_group_arn]
  requests_target   = local.gateway ? null : { per_minute = var.requests_target, label = module.balancer[0].requests_label }
  registry = local.gateway ? {
    namespace_id = aws_service_discovery_private_dns_namespace.this.id, name = "api", type = "SRV"
  } : null

  environment = merge(
    local.environment,
    {
      ORDERD_ACCESS_ANONYMOUS       = var.anonymous
      ORDERD_SERVER_TRUSTED_PROXIES = module.network.cidr
      # As long as it takes until nobody is sent here any more.
      ORDERD_SHUTDOWN_DELAY = "5s"
    },
    local.gateway ? { ORDERD_SERVER_CLIENT_HEADER = "X-Real-IP" } : {},
    var.api_environment,
  )
  secrets = merge(
    local.database_password,
    var.admin_password_secret_arn == null ? {} : { ADMIN_PASSWORD = var.admin_password_secret_arn },
  )
}

module "worker" {
  source = "../modules/service-ecs"

  name               = "${var.name}-worker"
  cluster_arn        = aws_ecs_cluster.this.arn
  cluster_name       = aws_ecs_cluster.this.name
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  image              = module.registry.image
  image_is_ecr       = module.registry.is_ecr
  repository_arn     = module.registry.repository_arn
  architecture       = var.architecture
  command            = ["worker"]
  cpu                = var.worker_cpu
  memory             = var.worker_memory
  min_count          = var.worker_min_count
  max_count          = var.worker_max_count
  cpu_target         = var.cpu_target
  wait               = var.wait_for_tasks
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.encryption.key_arn

  egress = merge(local.egress, var.simulated_payments ? {
    providers = { security_group_id = module.providers[0].security_group_id, port = 8090 }
  } : {})
  egress_ports = local.egress_ports

  environment = merge(
    local.environment,
    { PAYMENT_API_URL = local.payment_api_url },
    var.inventory_api_url == null ? {} : { INVENTORY_API_URL = var.inventory_api_url },
    var.worker_environment,
  )
  secrets = local.database_password
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

  registry    = { namespace_id = aws_service_discovery_private_dns_namespace.this.id, name = "providers", type = "A" }
  ingress     = { worker = module.worker.security_group_id }
  environment = { ORDERD_LOG_FORMAT = "json" }
}

# ---- where clients come in

module "balancer" {
  source = "../modules/load-balancer"
  count  = local.gateway ? 0 : 1

  name                = var.name
  vpc_id              = module.network.vpc_id
  vpc_cidr            = module.network.cidr
  subnet_ids          = module.network.public_subnet_ids
  port                = 8080
  certificate_arn     = var.certificate_arn
  plain_http          = var.plain_http
  firewall            = var.firewall
  log_retention_days  = var.log_retention_days
  kms_key_arn         = module.encryption.key_arn
  access_logs_bucket  = var.access_logs_bucket
  deletion_protection = var.deletion_protection
}

module "gateway" {
  source = "../modules/api-gateway"
  count  = local.gateway ? 1 : 0

  name                = var.name
  requests_per_second = var.requests_per_second
  requests_at_once    = 2 * var.requests_per_second
  log_retention_days  = var.log_retention_days
  kms_key_arn         = module.encryption.key_arn

  vpc = {
    id         = module.network.vpc_id
    cidr       = module.network.cidr
    subnet_ids = module.network.private_subnet_ids
    ports      = [8080]
  }
  integrations = { api = { routes = ["$default"], uri = module.api.registry_arn, private = true } }
}

# ---- operation

module "observability" {
  source = "../modules/observability"

  name        = var.name
  email       = var.alarm_email
  gateway     = local.gateway ? { id = module.gateway[0].id } : null
  balancer    = local.gateway ? null : { arn_suffix = module.balancer[0].arn_suffix }
  database    = var.existing_database == null ? { identifier = module.database[0].identifier } : null
  cluster     = var.name
  kms_key_arn = module.encryption.key_arn
  services = {
    "${var.name}-api"    = var.api_min_count
    "${var.name}-worker" = var.worker_min_count
  }
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

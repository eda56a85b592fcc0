variable "name" {
  description = "Put before the names of all that is made, so that several of it fit into one account."
  type        = string
  default     = "orderd"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name has to be 3 to 20 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "region" {
  description = "The region of AWS; that of your environment (AWS_REGION) or profile if null."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is no region of AWS. Write one like eu-west-1, or leave it out and set AWS_REGION."
  }
}

variable "architecture" {
  description = "What orderd runs on, and is built for: arm64 (cheaper) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture has to be arm64 or x86_64."
  }
}

# ---- what runs

variable "image" {
  description = <<-EOT
    An image of orderd that is there already, as REGISTRY/NAME:TAG. If null, it is built from this clone with Docker and
    pushed to a repository of its own in ECR.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^ ]+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "image has to name a tag or a digest, as REGISTRY/NAME:TAG; without one nobody knows what runs."
  }
}

# ---- who may do what

variable "anonymous" {
  description = <<-EOT
    What a request without a token may do: none, read or write. The clients of the older systems send no token: they need
    "write", and then whoever knows the address can place orders.
  EOT
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "read", "write"], var.anonymous)
    error_message = "anonymous has to be none, read or write."
  }
}

variable "admin_password_secret_arn" {
  description = <<-EOT
    A secret of Secrets Manager whose whole text, 16 characters or more, is the password of the admin routes. They do not
    exist if null.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.admin_password_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.admin_password_secret_arn))
    error_message = "admin_password_secret_arn is no ARN of Secrets Manager. Make a secret, with the key of this stack or that of AWS, and give its ARN."
  }
}

# ---- payments and stock

variable "payment_api_url" {
  description = "Where the payment service is. Either this or simulated_payments is needed."
  type        = string
  default     = null

  validation {
    condition     = var.payment_api_url == null || can(regex("^https?://[^/ ]+", var.payment_api_url))
    error_message = "payment_api_url is no URL. Write it like https://payments.example.org/v1."
  }

  validation {
    condition     = (var.payment_api_url != null) != var.simulated_payments
    error_message = "Exactly one of payment_api_url and simulated_payments is needed: name your payment service, or set simulated_payments = true to try it without one."
  }
}

variable "simulated_payments" {
  description = "Whether a small service that only pretends to take money is run. A fifth of its calls fails, on purpose."
  type        = bool
  default     = false
}

variable "inventory_api_url" {
  description = "Where the inventory service is; stock is kept by orderd itself if null."
  type        = string
  default     = null

  validation {
    condition     = var.inventory_api_url == null || can(regex("^https?://[^/ ]+", var.inventory_api_url))
    error_message = "inventory_api_url is no URL. Write it like https://stock.example.org/v1, or leave it out."
  }
}

# ---- where clients come in

variable "front" {
  description = <<-EOT
    What clients reach: alb, a load balancer, or gateway, an API Gateway with HTTPS of its own, which is cheaper while there
    are few requests.
  EOT
  type        = string
  default     = "alb"

  validation {
    condition     = contains(["alb", "gateway"], var.front)
    error_message = "front has to be alb or gateway."
  }
}

variable "certificate_arn" {
  description = "A certificate of ACM in this region, for HTTPS at the load balancer. Needed for it, unless plain_http is set."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:", var.certificate_arn))
    error_message = "certificate_arn is no ARN of ACM. Ask for a certificate there, and give its ARN."
  }

  validation {
    condition     = (var.certificate_arn != null) == (var.front == "alb" && !var.plain_http)
    error_message = "A load balancer needs certificate_arn, for HTTPS, or plain_http = true, for trying it without; a gateway (front = gateway) needs and takes neither."
  }
}

variable "plain_http" {
  description = "Whether the load balancer speaks HTTP alone: tokens and orders can be read on the way then. For trying it only."
  type        = bool
  default     = false

  validation {
    condition     = !var.plain_http || var.front == "alb"
    error_message = "plain_http is for the load balancer; the gateway has HTTPS of its own. Leave it out."
  }
}

variable "firewall" {
  description = <<-EOT
    Whether AWS WAF refuses known attacks before they reach the load balancer: some seven dollars a month, and 60 cents a
    million requests.
  EOT
  type        = bool
  default     = false

  validation {
    condition     = !var.firewall || var.front == "alb"
    error_message = "firewall is for the load balancer; WAF cannot stand before an HTTP API. Leave it out."
  }
}

variable "access_logs_bucket" {
  description = "A bucket for the access log of the load balancer, whose policy lets load balancers write; none if null."
  type        = string
  default     = null

  validation {
    condition     = var.access_logs_bucket == null || can(regex("^[a-z0-9.-]{3,63}$", var.access_logs_bucket))
    error_message = "access_logs_bucket has to be the name of a bucket, not its ARN."
  }
}

variable "requests_per_second" {
  description = "How many requests a second the gateway lets through, of all clients together; twice as many at once."
  type        = number
  default     = 1000

  validation {
    condition     = var.requests_per_second >= 1
    error_message = "requests_per_second has to be 1 or more."
  }
}

# ---- the API

variable "api_cpu" {
  description = "The share of a processor that a task of the API has; 1024 is one."
  type        = number
  default     = 256

  validation {
    condition     = contains([256, 512, 1024, 2048], var.api_cpu)
    error_message = "api_cpu has to be 256, 512, 1024 or 2048."
  }
}

variable "api_memory" {
  description = "The memory of such a task, in MB."
  type        = number
  default     = 512

  validation {
    condition = contains(lookup({
      "256"  = [512, 1024, 2048]
      "512"  = [1024, 2048, 3072, 4096]
      "1024" = [2048, 3072, 4096, 5120, 6144, 7168, 8192]
      "2048" = [4096, 6144, 8192, 10240, 12288, 14336, 16384]
    }, tostring(var.api_cpu), []), var.api_memory)
    error_message = "Fargate does not have api_memory with api_cpu. With 256: 512, 1024 or 2048; with 512: 1024 to 4096; with 1024: 2048 to 8192; with 2048: 4096 to 16384 MB."
  }
}

variable "api_min_count" {
  description = "The fewest tasks of the API. Two keep it up while a zone is away."
  type        = number
  default     = 2

  validation {
    condition     = var.api_min_count >= 1 && floor(var.api_min_count) == var.api_min_count
    error_message = "api_min_count has to be a whole number of 1 or more."
  }
}

variable "api_max_count" {
  description = <<-EOT
    The most tasks of the API. Where it is the same as api_min_count there is no auto scaling, and the number of tasks of a
    service that runs is changed by hand: aws ecs update-service --desired-count.
  EOT
  type        = number
  default     = 6

  validation {
    condition     = var.api_max_count >= var.api_min_count
    error_message = "api_max_count is less than api_min_count. Raise it, or lower the other."
  }
}

variable "requests_target" {
  description = "How many requests a minute auto scaling gives each task of the API; only a load balancer counts them."
  type        = number
  default     = 6000

  validation {
    condition     = var.requests_target >= 1
    error_message = "requests_target has to be 1 or more."
  }
}

variable "cpu_target" {
  description = "The share of their processors, in per cent, that auto scaling keeps tasks at."
  type        = number
  default     = 60

  validation {
    condition     = var.cpu_target >= 10 && var.cpu_target <= 90
    error_message = "cpu_target has to be 10 to 90."
  }
}

variable "api_environment" {
  description = <<-EOT
    More settings of the API, as ORDERD_SECTION_KEY; config.default.toml has them all. Nothing secret: it can be read in the
    task definition.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.api_environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "The names in api_environment have to be those of variables: capital letters, digits and underscores."
  }
}

# ---- the worker

variable "worker_cpu" {
  description = "The share of a processor that a task of the worker has; 1024 is one."
  type        = number
  default     = 256

  validation {
    condition     = contains([256, 512, 1024, 2048], var.worker_cpu)
    error_message = "worker_cpu has to be 256, 512, 1024 or 2048."
  }
}

variable "worker_memory" {
  description = "The memory of such a task, in MB."
  type        = number
  default     = 512

  validation {
    condition = contains(lookup({
      "256"  = [512, 1024, 2048]
      "512"  = [1024, 2048, 3072, 4096]
      "1024" = [2048, 3072, 4096, 5120, 6144, 7168, 8192]
      "2048" = [4096, 6144, 8192, 10240, 12288, 14336, 16384]
    }, tostring(var.worker_cpu), []), var.worker_memory)
    error_message = "Fargate does not have worker_memory with worker_cpu. With 256: 512, 1024 or 2048; with 512: 1024 to 4096; with 1024: 2048 to 8192; with 2048: 4096 to 16384 MB."
  }
}

variable "worker_min_count" {
  description = "The fewest tasks of the worker."
  type        = number
  default     = 1

  validation {
    condition     = var.worker_min_count >= 1 && floor(var.worker_min_count) == var.worker_min_count
    error_message = "worker_min_count has to be a whole number of 1 or more."
  }
}

variable "worker_max_count" {
  description = "The most tasks of the worker; as with api_max_count."
  type        = number
  default     = 4

  validation {
    condition     = var.worker_max_count >= var.worker_min_count
    error_message = "worker_max_count is less than worker_min_count. Raise it, or lower the other."
  }
}

variable "worker_environment" {
  description = <<-EOT
    More settings of the worker, as ORDERD_SECTION_KEY; config.default.toml has them all. Nothing secret: it can be read in the
    task definition.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.worker_environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "The names in worker_environment have to be those of variables: capital letters, digits and underscores."
  }
}

# ---- the database

variable "existing_database" {
  description = <<-EOT
    A database that is there already; none is made then. Its URL as orderd has it, without a password; the secret whose whole
    text is the password; and the security group that it lets in by that port.
  EOT
  type        = object({ url = string, password_secret_arn = string, security_group_id = string, port = number })
  default     = null

  validation {
    condition     = var.existing_database == null || can(regex("^(postgres|mysql)://[^:@/ ]+@[^@ ]+$", var.existing_database.url))
    error_message = "existing_database.url has to be like postgres://USER@HOST:5432/DATABASE?sslmode=require, without a password."
  }
}

variable "database_engine" {
  description = "The database: postgres or mysql. Another one later is another, empty database."
  type        = string
  default     = "postgres"

  validation {
    condition     = contains(["postgres", "mysql"], var.database_engine)
    error_message = "database_engine has to be postgres or mysql."
  }
}

variable "database_instance_class" {
  description = "How large the machine of the database is."
  type        = string
  default     = "db.t4g.micro"

  validation {
    condition     = startswith(var.database_instance_class, "db.")
    error_message = "database_instance_class has to be a class of RDS, like db.t4g.micro."
  }
}

variable "database_storage_gb" {
  description = "GB of storage to begin with; it grows to five times that by itself."
  type        = number
  default     = 20

  validation {
    condition     = var.database_storage_gb >= 20
    error_message = "database_storage_gb has to be 20 or more."
  }
}

variable "database_multi_az" {
  description = <<-EOT
    Whether a second machine in another zone takes over within two minutes. It costs as much as the first: to try it, say
    false.
  EOT
  type        = bool
  default     = true
}

variable "database_backup_days" {
  description = "For how many days the database can be put back to any second."
  type        = number
  default     = 7

  validation {
    condition     = var.database_backup_days >= 1 && var.database_backup_days <= 35
    error_message = "database_backup_days has to be 1 to 35."
  }
}

variable "database_password_version" {
  description = "Raise it by one for a new password; tasks are started anew then."
  type        = number
  default     = 1

  validation {
    condition     = var.database_password_version >= 1 && floor(var.database_password_version) == var.database_password_version
    error_message = "database_password_version has to be a whole number of 1 or more."
  }
}

variable "database_monitoring" {
  description = "Whether CloudWatch gets the logs of the database, what its machine does each minute, and which queries take how long."
  type        = bool
  default     = true
}

# ---- the cache

variable "cache" {
  description = "Whether answers to reads are kept in a Redis that all tasks share, instead of in each task."
  type        = bool
  default     = false
}

variable "cache_node_type" {
  description = "How large a node of it is."
  type        = string
  default     = "cache.t4g.micro"

  validation {
    condition     = startswith(var.cache_node_type, "cache.")
    error_message = "cache_node_type has to be a type of ElastiCache, like cache.t4g.micro."
  }
}

variable "cache_failover" {
  description = <<-EOT
    Whether a second node takes over. It costs as much as the first; without it, orderd reads the database until the first is
    back.
  EOT
  type        = bool
  default     = true
}

# ---- network

variable "vpc_cidr" {
  description = "The addresses of the VPC."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "vpc_cidr is no IPv4 range of /20 or larger. Write it like 10.20.0.0/16."
  }
}

variable "nat_gateways" {
  description = <<-EOT
    How tasks reach the Internet: one NAT gateway, whose zone takes the other with it where it fails, or one per_zone at
    twice the price.
  EOT
  type        = string
  default     = "one"

  validation {
    condition     = contains(["one", "per_zone"], var.nat_gateways)
    error_message = "nat_gateways has to be one or per_zone."
  }
}

variable "flow_logs" {
  description = "Whether connections that the network refuses are logged."
  type        = bool
  default     = true
}

# ---- operation

variable "deletion_protection" {
  description = "Whether what holds orders refuses to be deleted. Before `terraform destroy`, apply with false."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days has to be one of the numbers that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alarm_email" {
  description = "Who is told of alarms; AWS asks this address first. Nobody if null."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alarm_email))
    error_message = "alarm_email is no e-mail address. Write one like alarms@example.org, or leave it out."
  }
}

variable "container_insights" {
  description = "Whether CloudWatch shows each container: some dollars a month for each service. The alarms do without."
  type        = bool
  default     = true
}

variable "wait_for_tasks" {
  description = "Whether `terraform apply` waits until tasks run, and fails where they do not."
  type        = bool
  default     = true
}

# ---- deployment by GitHub

variable "github_repository" {
  description = "The repository of GitHub whose workflows may deploy, as OWNER/NAME. No role is made for that if null."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository has to be one repository, as OWNER/NAME, without patterns."
  }
}

variable "github_deploy_from" {
  description = "What may deploy, as GitHub calls it: environment:NAME, ref:refs/heads/NAME or ref:refs/tags/NAME."
  type        = list(string)
  default     = ["environment:production"]

  validation {
    condition     = length(var.github_deploy_from) > 0 && alltrue([for it in var.github_deploy_from : can(regex("^(environment:|ref:refs/(heads|tags)/)[^*?]+$", it))])
    error_message = "github_deploy_from has to name environments (environment:production) or refs (ref:refs/heads/main), without * or ?."
  }
}

variable "github_provider_arn" {
  description = "The OpenID Connect provider of GitHub, where this account has it already; it is made if null."
  type        = string
  default     = null

  validation {
    condition     = var.github_provider_arn == null || can(regex(":oidc-provider/token.actions.githubusercontent.com$", var.github_provider_arn))
    error_message = "github_provider_arn is no provider of GitHub. It looks like arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "github_deploy_policy_arns" {
  description = "What else the deploying role may. To run all of `terraform apply` it needs what you need for that."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.github_deploy_policy_arns : can(regex("^arn:[a-z-]+:iam::", arn))])
    error_message = "github_deploy_policy_arns has to be a list of ARNs of IAM policies."
  }
}

variable "github_plan_policy_arns" {
  description = "What pull requests may read to show what they would change, as arn:aws:iam::aws:policy/ReadOnlyAccess, which reads orders, too. Without any there is no role for them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.github_plan_policy_arns : can(regex("^arn:[a-z-]+:iam::", arn))])
    error_message = "github_plan_policy_arns has to be a list of ARNs of IAM policies."
  }
}

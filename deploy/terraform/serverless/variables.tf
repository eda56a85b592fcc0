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

variable "function_zip" {
  description = "The function, built before. If null, it is built from this clone with Docker."
  type        = string
  default     = null

  validation {
    condition     = var.function_zip == null || try(fileexists(var.function_zip), false)
    error_message = "There is no file function_zip. Build it: docker build --platform linux/arm64 -f deploy/docker/Dockerfile --target function --output OUT . (linux/amd64 for x86_64), and name OUT/function.zip by its absolute path; or leave function_zip out, and it is built by terraform apply."
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

variable "allow_reset" {
  description = <<-EOT
    Whether the API may remove all orders (POST /admin/reset). If not, it cannot delete what was recorded, whatever happens
    to it.
  EOT
  type        = bool
  default     = false
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

# ---- orders and messages

variable "orders_table" {
  description = "A name of its own for the table of orders; NAME-orders if null."
  type        = string
  default     = null

  validation {
    condition     = var.orders_table == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.orders_table))
    error_message = "orders_table has to be 3 to 255 letters, digits, dots, hyphens or underscores."
  }
}

variable "messaging_prefix" {
  description = <<-EOT
    Put before the names of topics and queues (order-events, order-completed, order-processing-queue), so that a second set
    fits into one account.
  EOT
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,40}$", var.messaging_prefix))
    error_message = "messaging_prefix has to be 40 letters, digits, hyphens and underscores at the most."
  }
}

variable "fifo" {
  description = "Whether topics and queue keep the sequence of each order's messages. Their names end in .fifo then."
  type        = bool
  default     = false
}

variable "events_format" {
  description = "What messages say: cloudevents is the whole event; plain is the bare order id, as the older event system sends it."
  type        = string
  default     = "cloudevents"

  validation {
    condition     = contains(["cloudevents", "plain"], var.events_format)
    error_message = "events_format has to be cloudevents or plain."
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

variable "requests_per_second" {
  description = "How many requests a second the gateway lets through, of all clients together; twice as many at once."
  type        = number
  default     = 1000

  validation {
    condition     = var.requests_per_second >= 1
    error_message = "requests_per_second has to be 1 or more."
  }
}

# ---- the function

variable "function_timeout" {
  description = "How many seconds a batch may take. Messages are kept from others for six times that."
  type        = number
  default     = 60

  validation {
    condition     = var.function_timeout >= 5 && var.function_timeout <= 900
    error_message = "function_timeout has to be 5 to 900 seconds."
  }
}

variable "function_memory" {
  description = "How many MB an instance of the function has; its share of a processor follows."
  type        = number
  default     = 256

  validation {
    condition     = var.function_memory >= 128 && var.function_memory <= 10240
    error_message = "function_memory has to be 128 to 10240 MB."
  }
}

variable "sqs_batch_size" {
  description = "How many messages the function is given at a time."
  type        = number
  default     = 5

  validation {
    condition     = var.sqs_batch_size >= 1 && var.sqs_batch_size <= 10
    error_message = "sqs_batch_size has to be 1 to 10."
  }
}

variable "max_receive_count" {
  description = "How often a message is tried before it is a dead letter."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count has to be 1 to 1000; Lambda asks for 5 or more."
  }
}

variable "function_maximum_concurrency" {
  description = "How many batches are worked on at once, so that payment services are not overrun."
  type        = number
  default     = 20

  validation {
    condition     = var.function_maximum_concurrency >= 2 && var.function_maximum_concurrency <= 1000
    error_message = "function_maximum_concurrency has to be 2 to 1000."
  }
}

variable "function_reserved_concurrency" {
  description = <<-EOT
    How many instances of the function are kept free for it, and are the most of it; -1 keeps none. A new account has few, and
    may refuse to keep any.
  EOT
  type        = number
  default     = -1

  validation {
    condition     = var.function_reserved_concurrency == -1 || var.function_reserved_concurrency >= var.function_maximum_concurrency
    error_message = "function_reserved_concurrency has to be -1, or function_maximum_concurrency at the least: with fewer, messages would be thrown back and end as dead letters."
  }
}

variable "function_code_signing_config_arn" {
  description = <<-EOT
    A configuration of AWS Signer that the function has to keep to, where you sign it and name it by function_zip; none if
    null.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.function_code_signing_config_arn == null || can(regex("^arn:[a-z-]+:lambda:.*:code-signing-config:", var.function_code_signing_config_arn))
    error_message = "function_code_signing_config_arn is no ARN of a code signing configuration."
  }
}

variable "function_environment" {
  description = "More settings of the function, as ORDERD_SECTION_KEY; AWS_ENDPOINT_URL for an emulator."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.function_environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "The names in function_environment have to be those of variables: capital letters, digits and underscores."
  }
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

variable "queue_age_seconds" {
  description = "How many seconds an order may wait in the queue before there is an alarm."
  type        = number
  default     = 300

  validation {
    condition     = var.queue_age_seconds >= 60
    error_message = "queue_age_seconds has to be 60 or more."
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

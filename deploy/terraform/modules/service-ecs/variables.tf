variable "name" {
  description = "The name of the service, its roles and its log group."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster that it runs in."
  type        = string
}

variable "cluster_name" {
  description = "The name of that cluster."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that its tasks are in."
  type        = string
}

variable "subnet_ids" {
  description = "The subnets that its tasks are in."
  type        = list(string)
}

variable "image" {
  description = "The image of orderd."
  type        = string
}

variable "image_is_ecr" {
  description = "Whether pulling the image needs rights in repository_arn."
  type        = bool
  default     = false
}

variable "repository_arn" {
  description = "The repository of AWS that the image is in."
  type        = string
  default     = null
}

variable "command" {
  description = "What orderd is told to do."
  type        = list(string)
}

variable "environment" {
  description = "The settings of orderd, as variables of the environment."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Settings that are secret: the ARN in Secrets Manager by the variable's name."
  type        = map(string)
  default     = {}
}

variable "policies" {
  description = "What the tasks may, as policies in JSON by their names."
  type        = map(string)
  default     = {}
}

variable "cpu" {
  description = "Units of a processor; 1024 is one."
  type        = number
  default     = 256
}

variable "memory" {
  description = "MB of memory, as many as Fargate has for that share of a processor."
  type        = number
  default     = 512
}

variable "architecture" {
  description = "What the image was built for: arm64 or x86_64."
  type        = string
}

variable "min_count" {
  description = "The fewest tasks; as many as there are if max_count is the same."
  type        = number
  default     = 1
}

variable "max_count" {
  description = "The most tasks."
  type        = number
  default     = 1
}

variable "cpu_target" {
  description = "The share of the processors, in per cent, that auto scaling aims at."
  type        = number
  default     = 60
}

variable "requests_target" {
  description = "How many requests a minute each task is to get, and of which target group (as its load balancer labels it)."
  type        = object({ per_minute = number, label = string })
  default     = null
}

variable "port" {
  description = "The port that it listens on; none if null."
  type        = number
  default     = null
}

variable "healthcheck" {
  description = "Whether `orderd healthcheck` says how it is; only `orderd serve` answers that."
  type        = bool
  default     = false
}

variable "data_volume" {
  description = "Whether it gets a writable directory at /data, which is empty at each start."
  type        = bool
  default     = false
}

variable "ingress" {
  description = "The security groups that may reach its port, by what they are."
  type        = map(string)
  default     = {}
}

variable "egress" {
  description = "The security groups and ports that it may reach, by what they are."
  type        = map(object({ security_group_id = string, port = number }))
  default     = {}
}

variable "egress_ports" {
  description = "Ports that it may reach anywhere: AWS itself, payment services, webhooks."
  type        = list(number)
  default     = [443]
}

variable "registry" {
  description = "A namespace of Cloud Map where it is found by its name, with A records (addresses) or SRV (addresses and ports)."
  type        = object({ namespace_id = string, name = string, type = string })
  default     = null

  validation {
    condition     = var.registry == null || contains(["A", "SRV"], try(var.registry.type, ""))
    error_message = "registry.type has to be A or SRV."
  }
}

variable "target_group_arns" {
  description = "The target groups of a load balancer that it is in."
  type        = list(string)
  default     = []
}

variable "wait" {
  description = "Whether `terraform apply` waits until its tasks run."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = "The key for logs and secrets."
  type        = string
}

variable "name" {
  description = "The name of the load balancer."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that the tasks are in."
  type        = string
}

variable "vpc_cidr" {
  description = "Its addresses."
  type        = string
}

variable "subnet_ids" {
  description = "The public subnets that clients come in by."
  type        = list(string)
}

variable "port" {
  description = "The port that the tasks listen on."
  type        = number
}

variable "certificate_arn" {
  description = "A certificate, for HTTPS."
  type        = string
  default     = null
}

variable "plain_http" {
  description = "Whether it speaks HTTP alone, which needs no certificate."
  type        = bool
  default     = false
}

variable "firewall" {
  description = "Whether AWS WAF refuses known attacks before they reach it."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "For how many days the log of the firewall is kept."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = "The key for that log."
  type        = string
}

variable "access_logs_bucket" {
  description = "A bucket that may be written to by load balancers, for their access log; none if null."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether it refuses to be deleted."
  type        = bool
  default     = true
}

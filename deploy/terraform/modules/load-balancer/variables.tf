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
  description = "A certificate, for HTTPS; HTTP alone if null."
  type        = string
  default     = null
}

variable "web_acl_arn" {
  description = "A firewall of AWS WAF in front of it; none if null."
  type        = string
  default     = null
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

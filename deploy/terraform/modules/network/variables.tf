variable "name" {
  description = "Put before the names of all that is made."
  type        = string
}

variable "cidr" {
  description = "The address range of the VPC; the four subnets take a sixteenth of it each."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr is no IPv4 range of /20 or larger. Write it like 10.20.0.0/16."
  }
}

variable "nat_gateways" {
  description = "How private subnets reach the Internet: none, one (cheaper; its zone's failure cuts off both), or per_zone."
  type        = string
  default     = "one"

  validation {
    condition     = contains(["none", "one", "per_zone"], var.nat_gateways)
    error_message = "nat_gateways has to be none, one or per_zone."
  }
}

variable "flow_logs" {
  description = "Whether refused connections are logged."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = "The key that logs are encrypted with."
  type        = string
}

variable "name" {
  description = "The name of the HTTP API."
  type        = string
}

variable "integrations" {
  description = <<-EOT
    What answers, by a name of yours: its routes ($default is all that no other route takes), and its uri. That is a URL
    or, where private, the ARN of a service in Cloud Map or of a listener of a load balancer. With path, what is asked for
    becomes that; a URL needs $request.path there, or each request goes to the URL itself.
  EOT
  type = map(object({
    routes  = list(string)
    uri     = string
    private = optional(bool, false)
    path    = optional(string)
  }))
}

variable "vpc" {
  description = "Where private integrations are: the VPC, its addresses, the subnets to reach it from, and the ports that listen."
  type        = object({ id = string, cidr = string, subnet_ids = list(string), ports = list(number) })
  default     = null
}

variable "requests_per_second" {
  description = "How many requests a second are let through."
  type        = number
  default     = 1000
}

variable "requests_at_once" {
  description = "How many may come at once."
  type        = number
  default     = 2000
}

variable "log_retention_days" {
  description = "For how many days the access log is kept."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = "The key for the access log; that of AWS if null."
  type        = string
  default     = null
}

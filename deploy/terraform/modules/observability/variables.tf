variable "name" {
  description = "Put before the names of alarms; the name of the dashboard."
  type        = string
}

variable "email" {
  description = "Who is told of alarms; AWS asks this address first. Nobody if null."
  type        = string
  default     = null

  validation {
    condition     = var.email == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.email))
    error_message = "email is no e-mail address. Write one like alarms@example.org, or leave it out."
  }
}

variable "queue" {
  description = "The names of the queue and of that of its dead letters."
  type        = object({ name = string, dead_letters = string })
  default     = null
}

variable "queue_age_seconds" {
  description = "How long an order may wait in the queue."
  type        = number
  default     = 300
}

variable "function" {
  description = "The name of the function."
  type        = string
  default     = null
}

variable "gateway" {
  description = "The HTTP API."
  type        = object({ id = string })
  default     = null
}

variable "balancer" {
  description = "The load balancer, as CloudWatch calls it."
  type        = object({ arn_suffix = string })
  default     = null
}

variable "tables" {
  description = "The names of tables."
  type        = list(string)
  default     = []
}

variable "cluster" {
  description = "The cluster of the services."
  type        = string
  default     = null
}

variable "services" {
  description = "How many tasks there are to be, at least, by the service's name."
  type        = map(number)
  default     = {}
}

variable "database" {
  description = "The database server."
  type        = object({ identifier = string })
  default     = null
}

variable "machine" {
  description = "The machine."
  type        = object({ id = string })
  default     = null
}

variable "kms_key_arn" {
  description = "The key that alarms are encrypted with."
  type        = string
}

variable "prefix" {
  description = "Put before order-events and order-completed, so that several sets fit into one account."
  type        = string
  default     = ""
}

variable "fifo" {
  description = "Whether topics keep the sequence of each order's events; only FIFO queues can listen to them."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "The key that messages are encrypted with."
  type        = string
}

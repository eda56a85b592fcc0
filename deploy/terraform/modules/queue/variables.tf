variable "prefix" {
  description = "Put before order-processing-queue and order-processing-dlq."
  type        = string
  default     = ""
}

variable "fifo" {
  description = "Whether messages of one order keep their sequence; as the topic is."
  type        = bool
  default     = false
}

variable "topic_arn" {
  description = "The topic that the queue listens to."
  type        = string
}

variable "visibility_timeout" {
  description = "For how many seconds a message that was taken is not given to others; for a function, six times its time-out."
  type        = number

  validation {
    condition     = var.visibility_timeout >= 30 && var.visibility_timeout <= 43200
    error_message = "visibility_timeout has to be 30 to 43200 seconds."
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

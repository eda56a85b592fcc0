variable "prefix" {
  description = "What the names of the tables begin with; orderd is told dynamodb://PREFIX."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,240}$", var.prefix))
    error_message = "prefix has to be 3 to 240 letters, digits, dots, hyphens or underscores."
  }
}

variable "orders_table" {
  description = "A name of its own for the table of orders; PREFIX-orders if null."
  type        = string
  default     = null

  validation {
    condition     = var.orders_table == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.orders_table))
    error_message = "orders_table has to be 3 to 255 letters, digits, dots, hyphens or underscores, or null."
  }
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "The key that tables are encrypted with; the one of AWS for DynamoDB if null."
  type        = string
  default     = null
}

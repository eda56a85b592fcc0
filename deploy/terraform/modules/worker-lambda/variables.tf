variable "name" {
  description = "The name of the function."
  type        = string
}

variable "zip" {
  description = "The file with the function: an executable called bootstrap."
  type        = string
}

variable "zip_base64sha256" {
  description = "The SHA-256 of that file in base64; a new one is a new version."
  type        = string
}

variable "architecture" {
  description = "What the function was built for: arm64 or x86_64."
  type        = string
}

variable "environment" {
  description = "The settings of orderd, as variables of the environment."
  type        = map(string)
}

variable "policies" {
  description = "What the function may, as policies in JSON by their names."
  type        = map(string)
}

variable "queue_arn" {
  description = "The queue whose messages it works on."
  type        = string
}

variable "dead_letter_arn" {
  description = "The queue of its dead letters; null where that is a FIFO queue."
  type        = string
  default     = null
}

variable "batch_size" {
  description = "How many messages it is given at a time."
  type        = number
  default     = 5
}

variable "maximum_concurrency" {
  description = "How many batches are worked on at once."
  type        = number
  default     = 20
}

variable "reserved_concurrency" {
  description = "How many instances are kept for it, and are the most of it; -1 is as many as the account has left."
  type        = number
  default     = -1
}

variable "timeout" {
  description = "How many seconds a batch may take."
  type        = number
  default     = 60
}

variable "memory_size" {
  description = "How many MB an instance has; the share of a processor follows."
  type        = number
  default     = 256
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365
}

variable "kms_key_arn" {
  description = "The key for logs and environment; those of AWS if null."
  type        = string
  default     = null
}

variable "encrypted" {
  description = "Whether kms_key_arn is set, known before the key is there."
  type        = bool
  default     = true
}

variable "code_signing_config_arn" {
  description = "A configuration of AWS Signer that its code has to keep to; none if null."
  type        = string
  default     = null
}

variable "vpc" {
  description = "The subnets and security groups that it runs in; in none if null."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

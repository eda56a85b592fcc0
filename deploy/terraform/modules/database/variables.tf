variable "name" {
  description = "The name of the database server."
  type        = string
}

variable "engine" {
  description = "postgres or mysql."
  type        = string
  default     = "postgres"

  validation {
    condition     = contains(["postgres", "mysql"], var.engine)
    error_message = "engine has to be postgres or mysql."
  }
}

variable "instance_class" {
  description = "How large the machine is."
  type        = string
  default     = "db.t4g.micro"
}

variable "storage_gb" {
  description = "GB of storage to begin with."
  type        = number
  default     = 20

  validation {
    condition     = var.storage_gb >= 20
    error_message = "storage_gb has to be 20 or more, which is the least of gp3."
  }
}

variable "storage_max_gb" {
  description = "GB of storage that it may grow to by itself."
  type        = number
  default     = 100
}

variable "multi_az" {
  description = "Whether a second machine in another zone takes over; it costs as much as the first."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "For how many days it can be put back to any second."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days has to be 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether it refuses to be deleted. Without, no last snapshot is taken, either."
  type        = bool
  default     = true
}

variable "password_version" {
  description = "Raise it by one for a new password."
  type        = number
  default     = 1
}

variable "monitoring" {
  description = "Whether CloudWatch gets its logs, what its machine does each minute, and which queries take how long."
  type        = bool
  default     = true
}

variable "vpc_id" {
  description = "The VPC that it is in."
  type        = string
}

variable "subnet_ids" {
  description = "The subnets that it is in."
  type        = list(string)
}

variable "clients" {
  description = "The security groups that may reach it, by what they are."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "The key that it is encrypted with."
  type        = string
}

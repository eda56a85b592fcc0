variable "name" {
  description = "The name of the cache."
  type        = string
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

variable "node_type" {
  description = "How large a node is."
  type        = string
  default     = "cache.t4g.micro"
}

variable "failover" {
  description = "Whether a second node in another zone takes over; it costs as much as the first."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "The key that it is encrypted with."
  type        = string
}

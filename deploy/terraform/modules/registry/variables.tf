variable "name" {
  description = "The name of the repository of images."
  type        = string
}

variable "image" {
  description = "An image that is there already; if null, it is built here and pushed to a repository of its own."
  type        = string
  default     = null
}

variable "root" {
  description = "The clone of the repository."
  type        = string
}

variable "tag" {
  description = "What the image is called; another one is built when this changes."
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that images are encrypted with."
  type        = string
}

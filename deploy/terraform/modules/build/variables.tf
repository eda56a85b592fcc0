variable "what" {
  description = "What to build: the function, or the archive for a machine."
  type        = string

  validation {
    condition     = contains(["function", "archive"], var.what)
    error_message = "what has to be function or archive."
  }
}

variable "given" {
  description = "A file that was built before; if null, it is built here."
  type        = string
  default     = null
}

variable "root" {
  description = "The clone of the repository."
  type        = string
}

variable "directory" {
  description = "Where what is built is put."
  type        = string
}

variable "sources_hash" {
  description = "It is built again when this changes."
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64."
  type        = string
}

variable "root" {
  description = "The clone of the repository."
  type        = string
}

variable "also" {
  description = "What else goes into what is built: patterns of files below the root."
  type        = list(string)
  default     = []
}

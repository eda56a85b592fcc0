variable "name" {
  description = "The name of the key: alias/NAME."
  type        = string
}

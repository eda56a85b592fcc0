variable "name" {
  description = "Put before the names of all that is made, and the prefix of the tables."
  type        = string
  default     = "orderd"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name has to be 3 to 20 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "endpoint_url" {
  description = "Where the emulator is: the same as AWS_ENDPOINT_URL."
  type        = string

  validation {
    condition     = can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.endpoint_url))
    error_message = "endpoint_url has to be an emulator on this machine, as http://127.0.0.1:4566: this configuration is not for AWS."
  }
}

variable "api_url" {
  description = "Where orderd serve --roles api listens."
  type        = string
  default     = "http://127.0.0.1:8080"

  validation {
    condition     = can(regex("^http://[^/ ]+/?$", var.api_url))
    error_message = "api_url has to be a URL without a path, as http://127.0.0.1:8080."
  }
}

variable "function_zip" {
  description = "The function: a zip with an executable called bootstrap."
  type        = string

  validation {
    condition     = try(fileexists(var.function_zip), false)
    error_message = "There is no file function_zip. Build the function (cargo build --profile dist --package lambda), zip target/dist/bootstrap, and name the zip."
  }
}

variable "architecture" {
  description = "What the function was built for."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture has to be arm64 or x86_64."
  }
}

variable "payment_api_url" {
  description = "Where the payment service is: that of orderd providers."
  type        = string
  default     = "http://127.0.0.1:8090/payments"

  validation {
    condition     = can(regex("^https?://[^/ ]+", var.payment_api_url))
    error_message = "payment_api_url is no URL. Write it like http://127.0.0.1:8090/payments."
  }
}

variable "orders_table" {
  description = "A name of its own for the table of orders; NAME-orders if null."
  type        = string
  default     = null

  validation {
    condition     = var.orders_table == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.orders_table))
    error_message = "orders_table has to be 3 to 255 letters, digits, dots, hyphens or underscores."
  }
}

variable "messaging_prefix" {
  description = "Put before the names of topics and queues."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,40}$", var.messaging_prefix))
    error_message = "messaging_prefix has to be 40 letters, digits, hyphens and underscores at the most."
  }
}

variable "fifo" {
  description = "Whether topics and queue keep the sequence of each order's messages."
  type        = bool
  default     = false
}

variable "events_format" {
  description = "What messages say: cloudevents, or plain as the older event system sends it."
  type        = string
  default     = "cloudevents"

  validation {
    condition     = contains(["cloudevents", "plain"], var.events_format)
    error_message = "events_format has to be cloudevents or plain."
  }
}

variable "function_timeout" {
  description = "How many seconds a batch may take. Messages are kept from others for six times that."
  type        = number
  default     = 5

  validation {
    condition     = var.function_timeout >= 5 && var.function_timeout <= 900
    error_message = "function_timeout has to be 5 to 900 seconds."
  }
}

variable "function_environment" {
  description = "More settings of the function, as ORDERD_SECTION_KEY."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.function_environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "The names in function_environment have to be those of variables: capital letters, digits and underscores."
  }
}

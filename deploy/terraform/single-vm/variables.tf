variable "name" {
  description = "Put before the names of all that is made, so that several of it fit into one account."
  type        = string
  default     = "orderd"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name has to be 3 to 20 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "region" {
  description = "The region of AWS; that of your environment (AWS_REGION) or profile if null."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is no region of AWS. Write one like eu-west-1, or leave it out and set AWS_REGION."
  }
}

variable "architecture" {
  description = "What orderd runs on, and is built for: x86_64, or arm64 (cheaper)."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture has to be arm64 or x86_64."
  }
}

# ---- what runs

variable "archive" {
  description = "The archive with orderd, its unit and its nginx site, built before. If null, it is built from this clone with Docker."
  type        = string
  default     = null

  validation {
    condition     = var.archive == null || try(fileexists(var.archive), false)
    error_message = "There is no file archive. Build it: docker build --platform linux/arm64 -f deploy/docker/Dockerfile --target archive --output OUT . (linux/amd64 for x86_64), and name OUT/orderd.tar.gz by its absolute path; or leave archive out, and it is built by terraform apply."
  }
}

variable "instance_type" {
  description = "The machine; t3.micro for x86_64 and t4g.micro for arm64 if null."
  type        = string
  default     = null

  validation {
    condition     = var.instance_type == null || can(regex("^[a-z0-9-]+[.][a-z0-9-]+$", var.instance_type))
    error_message = "instance_type has to be a type of EC2, like t3.micro."
  }
}

variable "ami_id" {
  description = "The image of the machine's disk; the newest Ubuntu 24.04 of Canonical at the time it is made, if null."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]+$", var.ami_id))
    error_message = "ami_id has to look like ami-0123456789abcdef0."
  }
}

variable "volume_gb" {
  description = "GB of the volume that holds orders."
  type        = number
  default     = 10

  validation {
    condition     = var.volume_gb >= 1 && var.volume_gb <= 16384
    error_message = "volume_gb has to be 1 to 16384."
  }
}

variable "settings" {
  description = <<-EOT
    More settings of orderd, as ORDERD_SECTION_KEY; config.default.toml has them all. Nothing secret: it can be read in the
    machine's user data.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "The names in settings have to be those of variables: capital letters, digits and underscores."
  }

  validation {
    condition     = alltrue([for value in values(var.settings) : can(regex("^[A-Za-z0-9 ._:/,@%+=?&~*-]*$", value))])
    error_message = "The values in settings may hold letters, digits, blanks and . _ : / , @ % + = ? & ~ * - only."
  }
}

# ---- who may do what

variable "anonymous" {
  description = <<-EOT
    What a request without a token may do: none, read or write. The clients of the older systems send no token: they need
    "write", and then whoever knows the address can place orders.
  EOT
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "read", "write"], var.anonymous)
    error_message = "anonymous has to be none, read or write."
  }
}

variable "ssh_cidr" {
  description = <<-EOT
    Who may come in by SSH, as a range of addresses. If null nobody may, and there is the Session Manager instead:
    aws ssm start-session.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.ssh_cidr == null || can(cidrhost(var.ssh_cidr, 0))
    error_message = "ssh_cidr is no range of addresses. Write your own address as 203.0.113.7/32, or leave it out and use the Session Manager."
  }

  validation {
    condition     = var.ssh_cidr == null || try(tonumber(split("/", var.ssh_cidr)[1]) >= 8, false)
    error_message = "ssh_cidr would let in the whole Internet, or nearly so. Name your own addresses, as 203.0.113.7/32."
  }
}

variable "ssh_public_key" {
  description = "The key that SSH takes, as in ~/.ssh/id_ed25519.pub. Needed where ssh_cidr is set."
  type        = string
  default     = null

  validation {
    condition     = (var.ssh_public_key == null) == (var.ssh_cidr == null)
    error_message = "ssh_public_key and ssh_cidr belong together: name both to come in by SSH, or neither."
  }
}

variable "payment_api_url" {
  description = "Where the payment service is. Either this or simulated_payments is needed."
  type        = string
  default     = null

  validation {
    condition     = var.payment_api_url == null || can(regex("^https?://[^/ ]+", var.payment_api_url))
    error_message = "payment_api_url is no URL. Write it like https://payments.example.org/v1."
  }

  validation {
    condition     = (var.payment_api_url != null) != var.simulated_payments
    error_message = "Exactly one of payment_api_url and simulated_payments is needed: name your payment service, or set simulated_payments = true to try it without one."
  }
}

variable "simulated_payments" {
  description = "Whether a small service that only pretends to take money is run. A fifth of its calls fails, on purpose."
  type        = bool
  default     = false
}

variable "inventory_api_url" {
  description = "Where the inventory service is; stock is kept by orderd itself if null."
  type        = string
  default     = null

  validation {
    condition     = var.inventory_api_url == null || can(regex("^https?://[^/ ]+", var.inventory_api_url))
    error_message = "inventory_api_url is no URL. Write it like https://stock.example.org/v1, or leave it out."
  }
}

# ---- network

variable "vpc_cidr" {
  description = "The addresses of the VPC."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "vpc_cidr is no IPv4 range of /20 or larger. Write it like 10.20.0.0/16."
  }
}

variable "flow_logs" {
  description = "Whether connections that the network refuses are logged."
  type        = bool
  default     = true
}

# ---- operation

variable "backup_days" {
  description = "For how many days daily snapshots of the volume are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 365
    error_message = "backup_days has to be 1 to 365."
  }
}

variable "detailed_monitoring" {
  description = "Whether the machine tells its metrics each minute instead of every five, for two dollars a month."
  type        = bool
  default     = true
}

variable "access_logs_bucket" {
  description = "A bucket for the log of who fetches the archive, whose policy lets S3 write; none if null."
  type        = string
  default     = null

  validation {
    condition     = var.access_logs_bucket == null || can(regex("^[a-z0-9.-]{3,63}$", var.access_logs_bucket))
    error_message = "access_logs_bucket has to be the name of a bucket, not its ARN."
  }
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days has to be one of the numbers that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alarm_email" {
  description = "Who is told of alarms; AWS asks this address first. Nobody if null."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alarm_email))
    error_message = "alarm_email is no e-mail address. Write one like alarms@example.org, or leave it out."
  }
}

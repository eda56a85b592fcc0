variable "name" {
  description = "Put before the names of the roles."
  type        = string
}

variable "repository" {
  description = "The repository of GitHub whose workflows may take the roles, as OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository has to be one repository, as OWNER/NAME, without patterns."
  }
}

variable "deploy_from" {
  description = "What may deploy, as GitHub calls it: environment:NAME, ref:refs/heads/NAME or ref:refs/tags/NAME."
  type        = list(string)
  default     = ["environment:production"]

  validation {
    condition = length(var.deploy_from) > 0 && alltrue([
      for subject in var.deploy_from : can(regex("^(environment:|ref:refs/(heads|tags)/)[^*?]+$", subject))
    ])
    error_message = "deploy_from has to name environments (environment:production) or refs (ref:refs/heads/main), without * or ?."
  }
}

variable "push_from" {
  description = "What may push images, named in the same way."
  type        = list(string)
  default     = ["environment:release"]

  validation {
    condition = length(var.push_from) > 0 && alltrue([
      for subject in var.push_from : can(regex("^(environment:|ref:refs/(heads|tags)/)[^*?]+$", subject))
    ])
    error_message = "push_from has to name environments (environment:production) or refs (ref:refs/heads/main), without * or ?."
  }
}

variable "provider_arn" {
  description = "The OpenID Connect provider of GitHub in this account; one is made if null."
  type        = string
  default     = null
}

variable "repository_name" {
  description = "The repository of images that is pushed to."
  type        = string
}

variable "deploy_policy_arns" {
  description = "What the deploying role may beside pushing images: to run `terraform apply`, what you need for that."
  type        = list(string)
  default     = []
}

variable "plan_policy_arns" {
  description = "What pull requests may read to show what they would change; without any there is no role for them."
  type        = list(string)
  default     = []
}

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# The emulator is named by the environment: AWS_ENDPOINT_URL, AWS_REGION, and keys that mean nothing.
provider "aws" {}

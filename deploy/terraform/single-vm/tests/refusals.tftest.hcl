mock_provider "aws" {
  override_during = plan

  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:mock" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { api_endpoint = "https://mock.execute-api.us-east-1.amazonaws.com" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock", bucket = "mock" }
  }
  mock_resource "aws_ebs_volume" {
    defaults = { arn = "arn:aws:ec2:us-east-1:123456789012:volume/vol-0123", id = "vol-0123" }
  }
  mock_resource "aws_eip" {
    defaults = { arn = "arn:aws:ec2:us-east-1:123456789012:elastic-ip/eipalloc-0123", public_ip = "198.51.100.7" }
  }
  mock_resource "aws_instance" {
    defaults = { arn = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123", id = "i-0123" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:us-east-1:123456789012:backup-vault:mock" }
  }
}

variables {
  payment_api_url = "https://payments.example.org/v1"
  ami_id          = "ami-0123456789abcdef0"
  archive         = "tests/orderd.tar.gz.example"
}

run "refuses_no_payments" {
  command = plan

  variables {
    payment_api_url = null
  }

  expect_failures = [var.payment_api_url]
}

run "refuses_an_archive_that_is_not_there" {
  command = plan

  variables {
    archive = "no/such.tar.gz"
  }

  expect_failures = [var.archive]
}

run "refuses_ssh_from_anywhere" {
  command = plan

  variables {
    ssh_cidr       = "0.0.0.0/0"
    ssh_public_key = "ssh-ed25519 AAAA"
  }

  expect_failures = [var.ssh_cidr]
}

run "refuses_ssh_without_a_key" {
  command = plan

  variables {
    ssh_cidr = "203.0.113.7/32"
  }

  expect_failures = [var.ssh_public_key]
}

run "refuses_settings_with_quotes" {
  command = plan

  variables {
    settings = { ORDERD_LOG_LEVEL = "a\"b" }
  }

  expect_failures = [var.settings]
}

run "refuses_settings_that_are_none" {
  command = plan

  variables {
    settings = { "log level" = "info" }
  }

  expect_failures = [var.settings]
}

run "refuses_snapshots_of_no_days" {
  command = plan

  variables {
    backup_days = 0
  }

  expect_failures = [var.backup_days]
}

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


run "without_ssh" {
  command = plan

  assert {
    condition     = aws_instance.this.instance_type == "t3.micro" && aws_instance.this.metadata_options[0].http_tokens == "required"
    error_message = "A t3.micro, whose metadata want a token."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.ssh) == 0 && toset(keys(aws_vpc_security_group_ingress_rule.web)) == toset(["443", "80"])
    error_message = "Nothing but 80 and 443 is open."
  }
  assert {
    condition     = aws_ebs_volume.data.encrypted && aws_ebs_volume.data.type == "gp3" && aws_instance.this.root_block_device[0].encrypted
    error_message = "Both disks are encrypted."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.archive.restrict_public_buckets && aws_s3_bucket_public_access_block.archive.block_public_policy
    error_message = "The archive is private."
  }
  assert {
    condition     = aws_s3_object.archive.key == "orderd-${filesha256("tests/orderd.tar.gz.example")}.tar.gz"
    error_message = "The archive is called by its sum."
  }
  assert {
    condition     = length(data.aws_ssm_parameter.ubuntu) == 0
    error_message = "An image that is named is not looked up."
  }
}

run "with_ssh_on_arm" {
  command = plan

  variables {
    architecture   = "arm64"
    ssh_cidr       = "203.0.113.7/32"
    ssh_public_key = "ssh-ed25519 AAAA"
  }

  assert {
    condition     = aws_instance.this.instance_type == "t4g.micro"
    error_message = "A t4g.micro."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.ssh[0].cidr_ipv4 == "203.0.113.7/32"
    error_message = "SSH from the address that was named."
  }
  assert {
    condition     = startswith(output.log_in, "ssh ubuntu@")
    error_message = "It says how to come in."
  }
}

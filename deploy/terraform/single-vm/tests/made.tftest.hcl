mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
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

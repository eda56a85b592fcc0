mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
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

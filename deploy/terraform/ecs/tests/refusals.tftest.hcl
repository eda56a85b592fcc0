# What is ephemeral cannot be mocked (the password of a database), so this is the real provider. It only plans,
# for a database that is there already, and asks nobody.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = module.network.data.aws_availability_zones.available
  values = { names = ["us-east-1a", "us-east-1b"] }
}

override_data {
  target = module.encryption.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = module.observability.data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  image             = "registry.example.org/orderd:1"
  payment_api_url   = "https://payments.example.org/v1"
  plain_http        = true
  existing_database = { url = "postgres://orderd@db.internal:5432/orderd?sslmode=require", password_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mock", security_group_id = "sg-database", port = 5432 }
}

run "refuses_no_payments" {
  command = plan

  variables {
    payment_api_url = null
  }

  expect_failures = [var.payment_api_url]
}

run "refuses_two_kinds_of_payments" {
  command = plan

  variables {
    simulated_payments = true
  }

  expect_failures = [var.payment_api_url]
}

run "refuses_an_unknown_database" {
  command = plan

  variables {
    database_engine = "oracle"
  }

  expect_failures = [var.database_engine]
}

run "refuses_too_little_storage" {
  command = plan

  variables {
    database_storage_gb = 5
  }

  expect_failures = [var.database_storage_gb]
}

run "refuses_no_backups" {
  command = plan

  variables {
    database_backup_days = 0
  }

  expect_failures = [var.database_backup_days]
}

run "refuses_a_database_with_a_password" {
  command = plan

  variables {
    existing_database = { url = "postgres://u:p@db/o", password_secret_arn = "a", security_group_id = "sg-1", port = 5432 }
  }

  expect_failures = [var.existing_database]
}

run "refuses_an_unknown_front" {
  command = plan

  variables {
    front      = "nlb"
    plain_http = false
  }

  expect_failures = [var.front]
}

run "refuses_a_balancer_without_a_certificate" {
  command = plan

  variables {
    plain_http = false
  }

  expect_failures = [var.certificate_arn]
}

run "refuses_a_certificate_for_the_gateway" {
  command = plan

  variables {
    front           = "gateway"
    plain_http      = false
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
  }

  expect_failures = [var.certificate_arn]
}

run "refuses_a_bucket_by_its_arn" {
  command = plan

  variables {
    access_logs_bucket = "arn:aws:s3:::logs"
  }

  expect_failures = [var.access_logs_bucket]
}

run "refuses_more_workers_at_least_than_at_most" {
  command = plan

  variables {
    worker_min_count = 9
  }

  expect_failures = [var.worker_max_count]
}

run "refuses_memory_that_fargate_has_not" {
  command = plan

  variables {
    worker_cpu = 1024
  }

  expect_failures = [var.worker_memory]
}

run "refuses_an_unknown_region" {
  command = plan

  variables {
    region = "europe"
  }

  expect_failures = [var.region]
}

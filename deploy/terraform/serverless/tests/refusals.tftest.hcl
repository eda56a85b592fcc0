mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  image           = "registry.example.org/orderd:1"
  payment_api_url = "https://payments.example.org/v1"
  function_zip    = "tests/function.zip.example"
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

run "refuses_a_payment_url_that_is_none" {
  command = plan

  variables {
    payment_api_url = "payments.example.org"
  }

  expect_failures = [var.payment_api_url]
}

run "refuses_a_zip_that_is_not_there" {
  command = plan

  variables {
    function_zip = "no/such.zip"
  }

  expect_failures = [var.function_zip]
}

run "refuses_an_image_without_a_tag" {
  command = plan

  variables {
    image = "orderd"
  }

  expect_failures = [var.image]
}

run "refuses_an_unknown_architecture" {
  command = plan

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "refuses_unknown_rights_of_strangers" {
  command = plan

  variables {
    anonymous = "all"
  }

  expect_failures = [var.anonymous]
}

run "refuses_more_tasks_at_least_than_at_most" {
  command = plan

  variables {
    api_min_count = 3
    api_max_count = 2
  }

  expect_failures = [var.api_max_count]
}

run "refuses_memory_that_fargate_has_not" {
  command = plan

  variables {
    api_memory = 4096
  }

  expect_failures = [var.api_memory]
}

run "refuses_a_batch_that_sqs_has_not" {
  command = plan

  variables {
    sqs_batch_size = 11
  }

  expect_failures = [var.sqs_batch_size]
}

run "refuses_a_function_that_may_take_too_long" {
  command = plan

  variables {
    function_timeout = 901
  }

  expect_failures = [var.function_timeout]
}

run "refuses_fewer_kept_instances_than_batches" {
  command = plan

  variables {
    function_reserved_concurrency = 5
  }

  expect_failures = [var.function_reserved_concurrency]
}

run "refuses_a_network_that_is_too_small" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/24"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_days_that_cloudwatch_has_not" {
  command = plan

  variables {
    log_retention_days = 8
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_several_repositories_of_github" {
  command = plan

  variables {
    github_repository = "owner/*"
  }

  expect_failures = [var.github_repository]
}

run "refuses_any_branch_of_github" {
  command = plan

  variables {
    github_deploy_from = ["ref:refs/heads/*"]
  }

  expect_failures = [var.github_deploy_from]
}

run "refuses_an_address_that_is_none" {
  command = plan

  variables {
    alarm_email = "nobody"
  }

  expect_failures = [var.alarm_email]
}

run "refuses_an_unknown_format_of_events" {
  command = plan

  variables {
    events_format = "xml"
  }

  expect_failures = [var.events_format]
}

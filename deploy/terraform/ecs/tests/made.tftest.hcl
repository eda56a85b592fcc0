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

override_resource {
  target          = module.balancer[0].aws_lb.this
  override_during = plan
  values          = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/mock/1", dns_name = "mock.elb.amazonaws.com", arn_suffix = "app/mock/1" }
}

override_resource {
  target          = module.cache[0].aws_elasticache_replication_group.this
  override_during = plan
  values          = { primary_endpoint_address = "redis.internal" }
}

variables {
  image             = "registry.example.org/orderd:1"
  payment_api_url   = "https://payments.example.org/v1"
  plain_http        = true
  existing_database = { url = "postgres://orderd@db.internal:5432/orderd?sslmode=require", password_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mock", security_group_id = "sg-database", port = 5432 }
}


run "alb" {
  command = plan

  assert {
    condition     = module.api.scaling == { min = 2, max = 6 } && module.worker.scaling == { min = 1, max = 4 }
    error_message = "Both have to scale."
  }
  assert {
    condition     = module.api.scales_by == toset(["cpu", "requests"]) && module.worker.scales_by == toset(["cpu"])
    error_message = "The API scales on processors and requests, the worker on processors."
  }
  assert {
    condition     = !module.api.public && !module.worker.public
    error_message = "Nothing but the load balancer may be public."
  }
  assert {
    condition     = module.api.ingress == toset(["alb"]) && module.worker.ingress == toset([])
    error_message = "The load balancer reaches the API; nothing reaches the worker."
  }
  assert {
    condition     = output.http_api_endpoint == "http://mock.elb.amazonaws.com" && length(module.gateway) == 0
    error_message = "Without a certificate it is HTTP."
  }
  assert {
    condition     = strcontains(module.api.secrets, "ORDERD_DATABASE_PASSWORD") && !strcontains(module.api.secrets, "ADMIN_PASSWORD")
    error_message = "The password comes from Secrets Manager."
  }
}

run "https" {
  command = plan

  variables {
    plain_http      = false
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    firewall        = true
  }

  assert {
    condition     = output.http_api_endpoint == "https://mock.elb.amazonaws.com"
    error_message = "With a certificate it is HTTPS."
  }
}

run "gateway_and_redis" {
  command = plan

  variables {
    front      = "gateway"
    plain_http = false
    cache      = true
  }

  assert {
    condition     = length(module.balancer) == 0 && module.api.ingress == toset(["gateway"])
    error_message = "The gateway takes the place of the load balancer."
  }
  assert {
    condition     = module.api.scales_by == toset(["cpu"])
    error_message = "Only a load balancer counts requests."
  }
  assert {
    condition     = module.cache[0].url == "rediss://redis.internal:6379/0"
    error_message = "Redis is reached by TLS."
  }
}

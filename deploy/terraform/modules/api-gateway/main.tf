resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  protocol_type = "HTTP"
}

# ---- into the VPC

resource "aws_security_group" "link" {
  count = var.vpc == null ? 0 : 1

  name        = "${var.name}-gateway"
  description = "From the API gateway to ${var.name}"
  vpc_id      = var.vpc.id

  tags = { Name = "${var.name}-gateway" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "link" {
  for_each = var.vpc == null ? toset([]) : toset([for port in var.vpc.ports : tostring(port)])

  security_group_id = aws_security_group.link[0].id
  description       = "To the services that listen there"
  cidr_ipv4         = var.vpc.cidr
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_apigatewayv2_vpc_link" "this" {
  count = var.vpc == null ? 0 : 1

  name               = var.name
  subnet_ids         = var.vpc.subnet_ids
  security_group_ids = [aws_security_group.link[0].id]
}

# ---- what answers

resource "aws_apigatewayv2_integration" "this" {
  for_each = var.integrations

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = each.value.uri
  connection_type        = each.value.private ? "VPC_LINK" : "INTERNET"
  connection_id          = each.value.private ? aws_apigatewayv2_vpc_link.this[0].id : null
  payload_format_version = "1.0"
  timeout_milliseconds   = 29000

  # The gateway names the client in a header of its own only, which cannot be mapped: so orderd is told
  # by this one (server.client_header), whatever the client sent in it.
  request_parameters = merge(
    { "overwrite:header.X-Real-IP" = "$context.identity.sourceIp" },
    each.value.path == null ? {} : { "overwrite:path" = each.value.path },
  )
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:orderd checks its own tokens; what strangers may do is said by the variable anonymous
  for_each = merge([
    for name, integration in var.integrations : { for route in integration.routes : route => name }
  ]...)

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
}

# ---- the stage

resource "aws_cloudwatch_log_group" "this" {
  name              = "/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = var.requests_at_once
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format = jsonencode({
      time       = "$context.requestTime"
      request_id = "$context.requestId"
      address    = "$context.identity.sourceIp"
      method     = "$context.httpMethod"
      path       = "$context.path"
      status     = "$context.status"
      bytes      = "$context.responseLength"
      latency_ms = "$context.responseLatency"
      backend_ms = "$context.integrationLatency"
      error      = "$context.integrationErrorMessage"
    })
  }
}

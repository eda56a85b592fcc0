data "aws_region" "current" {}

locals {
  scales = var.max_count > var.min_count
  listen = var.port != null
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# ---- roles: one that starts the task, one that the task has

locals {
  by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-start"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      }],
      [for statement in [
        {
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = var.repository_arn
        },
        {
          # AWS knows no narrower resource for it.
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
      ] : statement if var.image_is_ecr],
      [for statement in [
        {
          Effect = "Allow"
          Action = "secretsmanager:GetSecretValue"
          # Without the version that may be named.
          Resource = [for name in sort(keys(var.secrets)) : split(":::", var.secrets[name])[0]]
        },
        {
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = var.kms_key_arn
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${data.aws_region.current.name}.amazonaws.com" } }
        },
      ] : statement if length(var.secrets) > 0],
    )
  })
}

resource "aws_iam_role" "task" {
  name               = var.name
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "task" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.task.id
  policy = each.value
}

# ---- network

resource "aws_security_group" "this" {
  name        = var.name
  description = "Tasks of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.listen ? var.ingress : {}

  security_group_id            = aws_security_group.this.id
  description                  = "From ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = toset([for port in var.egress_ports : tostring(port)])

  security_group_id = aws_security_group.this.id
  description       = "AWS, and services outside"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_vpc_security_group_egress_rule" "to" {
  for_each = var.egress

  security_group_id            = aws_security_group.this.id
  description                  = "To ${each.key}"
  referenced_security_group_id = each.value.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# ---- the task

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(var.architecture)
  }

  container_definitions = jsonencode([merge(
    {
      name                   = "orderd"
      image                  = var.image
      essential              = true
      command                = var.command
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      # Longer than shutdown.delay and shutdown.timeout together.
      stopTimeout    = 45
      environment    = [for name in sort(keys(var.environment)) : { name = name, value = var.environment[name] }]
      secrets        = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]
      mountPoints    = var.data_volume ? [{ sourceVolume = "data", containerPath = "/data", readOnly = false }] : []
      portMappings   = local.listen ? [{ containerPort = var.port, hostPort = var.port, protocol = "tcp" }] : []
      systemControls = []
      volumesFrom    = []

      linuxParameters = {
        initProcessEnabled = true
        capabilities       = { add = [], drop = ["ALL"] }
      }

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          "awslogs-group"         = aws_cloudwatch_log_group.this.name
          "awslogs-region"        = data.aws_region.current.name
          "awslogs-stream-prefix" = "orderd"
          # Orders are not to wait for their log.
          "mode"            = "non-blocking"
          "max-buffer-size" = "4m"
        }
      }
    },
    var.healthcheck ? {
      healthCheck = {
        command     = ["CMD", "/orderd", "healthcheck"]
        interval    = 10
        timeout     = 3
        retries     = 3
        startPeriod = 30
      }
    } : {},
  )])

  # Belongs to whom the image says, so that it can be written although the root cannot.
  dynamic "volume" {
    for_each = var.data_volume ? ["data"] : []
    content {
      name = volume.value
    }
  }
}

# ---- where it is found by its name

resource "aws_service_discovery_service" "this" {
  count = var.registry == null ? 0 : 1

  name = var.registry.name

  dns_config {
    namespace_id   = var.registry.namespace_id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = var.registry.type
      ttl  = 10
    }
  }

  # ECS says which tasks are healthy.
  health_check_custom_config {
    failure_threshold = 1
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  desired_count   = var.min_count

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = length(var.target_group_arns) == 0 ? null : 60
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  availability_zone_rebalancing      = "ENABLED"
  wait_for_steady_state              = var.wait

  # A version that does not come up is taken back.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = var.target_group_arns
    content {
      target_group_arn = load_balancer.value
      container_name   = "orderd"
      container_port   = var.port
    }
  }

  dynamic "service_registries" {
    for_each = aws_service_discovery_service.this
    content {
      registry_arn   = service_registries.value.arn
      container_name = var.registry.type == "SRV" ? "orderd" : null
      container_port = var.registry.type == "SRV" ? var.port : null
    }
  }

  lifecycle {
    # How many there are is for auto scaling to say; and not every endpoint tells whether it rebalances.
    ignore_changes = [desired_count, availability_zone_rebalancing]

    postcondition {
      condition     = !var.wait || self.task_definition == aws_ecs_task_definition.this.arn
      error_message = "The new version did not come up, and the one before it runs again. Its log says why: /ecs/${var.name}."
    }
  }

  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.task]
}

# ---- auto scaling

resource "aws_appautoscaling_target" "this" {
  count = local.scales ? 1 : 0

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.this.name}"
  min_capacity       = var.min_count
  max_capacity       = var.max_count
}

resource "aws_appautoscaling_policy" "cpu" {
  count = local.scales ? 1 : 0

  name               = "${var.name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.cpu_target
    scale_in_cooldown  = 300
    scale_out_cooldown = 30

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  count = local.scales && var.requests_target != null ? 1 : 0

  name               = "${var.name}-requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.requests_target.per_minute
    scale_in_cooldown  = 300
    scale_out_cooldown = 30

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = var.requests_target.label
    }
  }
}

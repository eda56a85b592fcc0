data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  # Written once: a metric that is not told is no alarm, unless said otherwise.
  alarm = {
    statistic  = "Maximum"
    comparison = "GreaterThanThreshold"
    threshold  = 0
    periods    = 1
    period     = 60
    missing    = "notBreaching"
  }

  queue = var.queue == null ? {} : {
    queue-age = merge(local.alarm, {
      namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = var.queue.name }
      threshold = var.queue_age_seconds, periods = 3
      what      = "Orders wait for a worker: is it running, and does the payment service answer?"
    })
    dead-letters = merge(local.alarm, {
      namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = var.queue.dead_letters }
      what       = "There are dead letters: look at them with orderd dlq --queue URL list."
    })
  }

  function = var.function == null ? {} : {
    function-errors = merge(local.alarm, {
      namespace = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = var.function }
      statistic = "Sum", periods = 3
      what      = "The function fails as a whole; its log says why."
    })
    function-throttles = merge(local.alarm, {
      namespace = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = var.function }
      statistic = "Sum", periods = 5
      what      = "The account's limit of concurrent functions is reached."
    })
  }

  gateway = var.gateway == null ? {} : {
    gateway-5xx = merge(local.alarm, {
      namespace = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = var.gateway.id }
      statistic = "Sum", threshold = 5, periods = 3
      what      = "The gateway answers 5xx."
    })
  }

  balancer = var.balancer == null ? {} : {
    balancer-5xx = merge(local.alarm, {
      namespace = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = { LoadBalancer = var.balancer.arn_suffix }
      statistic = "Sum", threshold = 5, periods = 3
      what      = "The load balancer has no healthy task to ask."
    })
    target-5xx = merge(local.alarm, {
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count"
      dimensions = { LoadBalancer = var.balancer.arn_suffix }
      statistic  = "Sum", threshold = 5, periods = 3
      what       = "orderd answers 5xx."
    })
  }

  tables = merge([for table in var.tables : {
    "throttled-${table}" = merge(local.alarm, {
      namespace = "AWS/DynamoDB", metric = "WriteThrottleEvents", dimensions = { TableName = table }
      statistic = "Sum", periods = 3
      what      = "Writes to ${table} are throttled; orderd tries again, but is slower."
    })
  }]...)

  # Each task tells its use of the processor once a minute, so their number is that of tasks that run.
  services = merge([for service, count in var.services : {
    "tasks-${service}" = merge(local.alarm, {
      namespace  = "AWS/ECS", metric = "CPUUtilization"
      dimensions = { ClusterName = var.cluster, ServiceName = service }
      statistic  = "SampleCount", comparison = "LessThanThreshold", threshold = count, periods = 5
      missing    = "breaching"
      what       = "Fewer tasks of ${service} run than should."
    })
    "cpu-${service}" = merge(local.alarm, {
      namespace  = "AWS/ECS", metric = "CPUUtilization"
      dimensions = { ClusterName = var.cluster, ServiceName = service }
      statistic  = "Average", threshold = 85, periods = 10
      what       = "${service} is short of processors."
    })
  }]...)

  database = var.database == null ? {} : {
    database-storage = merge(local.alarm, {
      namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = { DBInstanceIdentifier = var.database.identifier }
      statistic = "Minimum", comparison = "LessThanThreshold", threshold = 4294967296, period = 300
      what      = "The database has less than 4 GB of storage left."
    })
    database-cpu = merge(local.alarm, {
      namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = { DBInstanceIdentifier = var.database.identifier }
      statistic = "Average", threshold = 85, periods = 3, period = 300
      what      = "The database is short of processors."
    })
  }

  machine = var.machine == null ? {} : {
    machine-health = merge(local.alarm, {
      namespace = "AWS/EC2", metric = "StatusCheckFailed", dimensions = { InstanceId = var.machine.id }
      periods   = 3
      what      = "The machine does not answer."
    })
    machine-cpu = merge(local.alarm, {
      namespace = "AWS/EC2", metric = "CPUUtilization", dimensions = { InstanceId = var.machine.id }
      statistic = "Average", threshold = 85, periods = 3, period = 300
      what      = "The machine is short of processors."
    })
  }

  alarms = merge(
    local.queue, local.function, local.gateway, local.balancer, local.tables, local.services, local.database,
    local.machine,
  )
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.email
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.what
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

locals {
  graphs = [for key in sort(keys(local.alarms)) : {
    title  = key
    metric = local.alarms[key]
  }]
}

# A graph for each alarm, with its threshold: what is looked at is what one is woken for.
resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for i, graph in local.graphs : {
      type   = "metric"
      x      = (i % 3) * 8
      y      = floor(i / 3) * 6
      width  = 8
      height = 6
      properties = {
        title  = graph.title
        region = data.aws_region.current.name
        period = graph.metric.period
        stat   = graph.metric.statistic
        metrics = [concat(
          [graph.metric.namespace, graph.metric.metric],
          flatten([for name in sort(keys(graph.metric.dimensions)) : [name, graph.metric.dimensions[name]]]),
        )]
        annotations = { horizontal = [{ label = "alarm", value = graph.metric.threshold }] }
      }
    }]
  })
}

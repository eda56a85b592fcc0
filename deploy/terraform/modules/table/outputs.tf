locals {
  tables_and_indexes = flatten([
    for key, table in aws_dynamodb_table.this :
    concat([table.arn], [for name, _ in local.tables[key].indexes : "${table.arn}/index/${name}"])
  ])

  use = {
    Sid    = "Orders"
    Effect = "Allow"
    Action = [
      "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:DescribeTable",
      "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
    ]
    Resource = local.tables_and_indexes
  }

  # Said outright, so that no other policy of the role can allow it: what was recorded stays.
  append_only = {
    Sid      = "JournalIsAppendOnly"
    Effect   = "Deny"
    Action   = ["dynamodb:DeleteItem", "dynamodb:UpdateItem"]
    Resource = aws_dynamodb_table.this["journal"].arn
  }

  # A reset looks through all tables and removes what it finds, the journal's entries, too.
  reset = {
    Sid      = "Reset"
    Effect   = "Allow"
    Action   = ["dynamodb:BatchWriteItem", "dynamodb:Scan"]
    Resource = local.tables_and_indexes
  }

  append_only_but_for_reset = merge(local.append_only, { Action = ["dynamodb:UpdateItem"] })
}

output "prefix" {
  description = "What the names of the tables begin with."
  value       = var.prefix
}

output "url" {
  description = "What orderd calls them."
  value       = "dynamodb://${var.prefix}${var.orders_table == null ? "" : "?orders=${var.orders_table}"}"
}

output "names" {
  description = "The names of the tables, by what they hold."
  value       = { for key, table in aws_dynamodb_table.this : key => table.name }
}

output "arns" {
  description = "Their ARNs, by what they hold."
  value       = { for key, table in aws_dynamodb_table.this : key => table.arn }
}

output "policy" {
  description = "What the API and those that fulfil may, as JSON; the journal is append-only."
  value       = jsonencode({ Version = "2012-10-17", Statement = [local.use, local.append_only] })
}

output "policy_with_reset" {
  description = "The same, and what POST /admin/reset needs, as JSON."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.use, local.reset, local.append_only_but_for_reset]
  })
}

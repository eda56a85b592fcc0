locals {
  # What orderd makes by itself where it may: docs/dynamodb.md has what each table is for.
  tables = {
    orders = {
      hash  = "order_id"
      range = null
      attributes = {
        order_id = "S", shard = "N", customer_id = "S"
      }
      indexes = {
        orders_by_time     = { hash = "shard", range = "order_id" }
        orders_by_customer = { hash = "customer_id", range = "order_id" }
      }
      expires = false
    }
    journal = {
      hash       = "subject"
      range      = "entry"
      attributes = { subject = "S", entry = "S", shard = "N", event_id = "S" }
      indexes    = { events_by_id = { hash = "shard", range = "event_id" } }
      expires    = false
    }
    keys = {
      hash       = "scope"
      range      = null
      attributes = { scope = "S" }
      indexes    = {}
      expires    = true
    }
    outbox = {
      hash       = "order_id"
      range      = "consumer"
      attributes = { order_id = "S", consumer = "S", queue = "S", due_at = "N" }
      indexes    = { wakes_by_due = { hash = "queue", range = "due_at" } }
      expires    = false
    }
    records = {
      hash       = "kind"
      range      = "id"
      attributes = { kind = "S", id = "S" }
      indexes    = {}
      expires    = true
    }
  }
}

resource "aws_dynamodb_table" "this" {
  for_each = local.tables

  name         = each.key == "orders" && var.orders_table != null ? var.orders_table : "${var.prefix}-${each.key}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = each.value.hash
  range_key    = each.value.range

  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = each.value.attributes
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = each.value.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.hash
      range_key       = global_secondary_index.value.range
      projection_type = "KEYS_ONLY"
    }
  }

  dynamic "ttl" {
    for_each = each.value.expires ? [1] : []
    content {
      attribute_name = "expires_at"
      enabled        = true
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

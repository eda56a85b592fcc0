-- Orders that come from other systems keep their ids, and some of those are version-4 UUIDs: bit 62
-- of `random` says so. What is minted here is version 7, without that bit. The views show either.

drop view orders;

create view orders as
select
  printf('%08x-%04x-%x%03x-%04x-%012x', order_id >> 28, (order_id >> 12) & 65535,
    iif(random >> 62, 4, 7), order_id & 4095, 32768 | ((random >> 48) & 16383),
    random & 281474976710655) as order_id,
  customer_id,
  customer_name,
  (select coalesce(item_id, name) from line_rows as line
    where line.order_id = o.order_id and line_number = 1) as item_id,
  (select sum(quantity) from line_rows as line where line.order_id = o.order_id) as quantity,
  case status when 0 then 'created' when 1 then 'processing' when 2 then 'completed'
    when 3 then 'compensating' when 4 then 'failed' when 5 then 'cancelled'
    when 6 then 'needs_review' when 7 then 'refunded' end as status,
  version,
  currency,
  total_minor,
  label,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as created_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(updated_at, created_at) / 1000.0, 'unixepoch')
    as updated_at
from order_rows as o
where hidden_at is null;

drop view order_lines;

create view order_lines as
select
  printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) as order_id,
  line_number, item_id, name, quantity, unit_price_minor
from line_rows join order_rows as o using (order_id);

drop view ledger;

create view ledger as
select
  order_id as ledger_id,
  printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) as order_id,
  customer_id, quantity, l.total_minor, l.currency,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as recorded_at
from ledger_rows as l join order_rows as o using (order_id)
limit -1;

drop view idempotency_records;

create view idempotency_records as
select
  key as idempotency_key,
  coalesce(principal, '') as principal,
  case operation when 1 then 'POST /v1/orders' when 2 then 'POST /orders'
    when 3 then 'POST /v1/products' when 4 then 'POST /products'
    when 5 then 'POST /v1/orders/{order_id}/refunds' end as operation,
  lower(hex(digest)) as fingerprint,
  k.status,
  printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) as order_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(k.created_at, o.created_at) / 1000.0, 'unixepoch')
    as created_at
from key_rows as k left join order_rows as o using (order_id);

drop view events;

create view events as
select
  printf('%08x-%04x-7%03x-%04x-%012x', e.event_id >> 28, (e.event_id >> 12) & 65535,
    e.event_id & 4095, 32768 | (e.random >> 48), e.random & 281474976710655) as event_id,
  printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) as order_id,
  sequence,
  case kind
    when 1 then 'order.created.v1' when 2 then 'order.labelled.v1' when 3 then 'order.hidden.v1'
    when 4 then 'order.processing.v1' when 5 then 'stock.reserved.v1'
    when 6 then 'payment.authorised.v1' when 7 then 'payment.captured.v1'
    when 8 then 'stock.committed.v1' when 9 then 'order.completed.v1'
    when 10 then 'order.try_failed.v1' when 11 then 'payment.declined.v1'
    when 12 then 'order.cancel_requested.v1' when 13 then 'order.compensating.v1'
    when 14 then 'payment.voided.v1' when 15 then 'stock.released.v1'
    when 16 then 'order.failed.v1' when 17 then 'order.cancelled.v1'
    when 18 then 'order.needs_review.v1' when 19 then 'order.redriven.v1'
    when 20 then 'order.decided.v1' when 21 then 'refund.requested.v1'
    when 22 then 'payment.refunded.v1' when 23 then 'refund.failed.v1'
    when 24 then 'order.refunded.v1' end as kind,
  payload,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(occurred_at, created_at) / 1000.0, 'unixepoch')
    as occurred_at,
  traceparent
from event_rows as e join order_rows as o on o.order_id = e.event_id - after_order;

drop view outbox;

create view outbox as
select
  iif(consumer = 1, 'fulfil', 'announce') as consumer,
  printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) as subject,
  since,
  head,
  strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') as due_at,
  attempt,
  w.tries,
  last_error
from wake_rows as w join order_rows as o using (order_id);

drop view transfers;

create view transfers as
select
  case when o.order_id is null then null else
    printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) end as order_id,
  number,
  case kind when 1 then 'pending' when 2 then 'posted' when 3 then 'voided' when 4 then 'transfer'
    when 5 then 'reversal' end as kind,
  pending_number as pending_id,
  coalesce('SKU:' || item_id, currency) as asset,
  case debit when 1 then 'customers' when 2 then 'sales' when 3 then 'stock' when 4 then 'supply'
    end as debit_account,
  case credit when 1 then 'customers' when 2 then 'sales' when 3 then 'stock' when 4 then 'supply'
    end as credit_account,
  amount,
  reason,
  strftime('%Y-%m-%dT%H:%M:%fZ', occurred_at / 1000.0, 'unixepoch') as occurred_at
from transfer_rows left join order_rows as o on o.order_id = subject;

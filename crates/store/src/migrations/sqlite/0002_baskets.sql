-- Orders that move on after they were placed: their newest event's sequence, and the kinds of
-- event that clients of the older systems cause. Keys for products.

alter table order_rows add column newest_sequence integer;   -- null: 1

drop view idempotency_records;

create view idempotency_records as
select
  key as idempotency_key,
  coalesce(principal, '') as principal,
  case operation when 1 then 'POST /v1/orders' when 2 then 'POST /orders'
    when 3 then 'POST /v1/products' when 4 then 'POST /products' end as operation,
  lower(hex(digest)) as fingerprint,
  k.status,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) as order_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(k.created_at, o.created_at) / 1000.0, 'unixepoch')
    as created_at
from key_rows as k left join order_rows as o using (order_id);

drop view events;

create view events as
select
  printf('%08x-%04x-7%03x-%04x-%012x', e.event_id >> 28, (e.event_id >> 12) & 65535,
    e.event_id & 4095, 32768 | (e.random >> 48), e.random & 281474976710655) as event_id,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (o.random >> 48), o.random & 281474976710655) as order_id,
  sequence,
  case kind when 1 then 'order.created.v1' when 2 then 'order.labelled.v1'
    when 3 then 'order.hidden.v1' end as kind,
  payload,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(occurred_at, created_at) / 1000.0, 'unixepoch')
    as occurred_at,
  traceparent
from event_rows as e join order_rows as o on o.order_id = e.event_id - after_order;

-- Fulfilment: how far an order has come, who is to be woken when, stock, and double entry.

alter table order_rows add column round integer;        -- null: 1
alter table order_rows add column step integer;
alter table order_rows add column tries integer;        -- null: 0
alter table order_rows add column aim integer;          -- null: to be completed
alter table order_rows add column deadline_at integer;
alter table order_rows add column failure text;         -- one JSON object

-- How often a wake was leased since whoever had it last wrote something.
alter table wake_rows add column received integer not null default 0;
-- From which event of the order on, and how often that one was tried in vain.
alter table wake_rows add column since integer not null default 1;
alter table wake_rows add column tries integer not null default 0;
create index wake_due on wake_rows (consumer, due_at);

-- Every try to deliver an event to a webhook endpoint; old ones are removed.
create table delivery_rows (
  endpoint integer not null,        -- the first half of the endpoint's id
  delivery_id integer not null,
  random integer not null,
  event_id integer not null,
  number integer not null,
  status integer,
  error text,
  duration_ms integer not null,
  primary key (endpoint, delivery_id)
) strict, without rowid;

create table stock_rows (
  item_id text primary key,
  on_hand integer not null,
  reserved integer not null,
  check (reserved between 0 and on_hand)
) strict, without rowid;

-- Only ever added to. `subject` is an order, or the first half of an adjustment's own id.
create table transfer_rows (
  subject integer not null,
  number integer not null,
  kind integer not null,            -- 1 pending, 2 posted, 3 voided, 4 transfer, 5 reversal
  pending_number integer,           -- which one is posted or voided
  item_id text,                     -- null: money, in the currency of the order
  debit integer not null,           -- 1 customers, 2 sales, 3 stock, 4 supply
  credit integer not null,
  amount integer not null check (amount > 0),
  reason text,
  occurred_at integer not null,
  primary key (subject, number)
) strict, without rowid;

create trigger transfers_are_never_updated before update on transfer_rows
begin select raise(abort, 'transfers are append-only'); end;

create trigger transfers_are_never_deleted before delete on transfer_rows
begin select raise(abort, 'transfers are append-only'); end;

-- The one table of moves, and the version that counts them, whoever writes.
create trigger orders_move_along_the_table before update of status on order_rows
when new.status <> old.status and (old.status, new.status) not in (values
  (0, 1), (0, 5), (1, 2), (1, 3), (1, 6), (3, 4), (3, 5), (3, 6), (4, 0), (6, 1), (6, 3), (2, 7))
begin select raise(abort, 'an order cannot move like that'); end;

create trigger versions_count_every_change before update of version on order_rows
when new.version <> old.version + 1
begin select raise(abort, 'a version counts up by one'); end;

-- For people.

create view transfers as
select
  case when o.order_id is null then null else
    printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
      o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) end as order_id,
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

create view stock as
select item_id, on_hand, reserved, on_hand - reserved as available from stock_rows;

create view dead_letters as
select
  json_extract(body, '$.order_id') as order_id,
  json_extract(body, '$.reason') as reason,
  json_extract(body, '$.step') as step,
  json_extract(body, '$.error') as error,
  json_extract(body, '$.compensated') as compensated,
  json_extract(body, '$.state') as state,
  strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(body, '$.failed_at_ms') / 1000.0, 'unixepoch')
    as failed_at
from record_rows where kind = 'letter';

drop view outbox;

create view outbox as
select
  iif(consumer = 1, 'fulfil', 'announce') as consumer,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) as subject,
  since,
  head,
  strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') as due_at,
  attempt,
  w.tries,
  last_error
from wake_rows as w join order_rows as o using (order_id);

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

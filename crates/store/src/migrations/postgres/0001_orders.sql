-- Orders, and all that is written for them.
--
-- Tables end in _rows and are made for the machine; the views over them are made for people and
-- carry the names that people know. Times are milliseconds since 1970; ids are UUIDv7, so that their
-- order is that of their times. What stays as it was placed with an order is in its row: `lines` is
-- JSON, an array [item_id, name, quantity, unit_price_minor] for each.

create table order_rows (
  order_id uuid primary key,
  status smallint not null,
  version integer not null,
  customer_id text collate "C",
  customer_name text,
  currency text not null,
  total_minor bigint not null,
  captured_minor bigint not null default 0,
  refunded_minor bigint not null default 0,
  contract smallint not null,
  fulfil boolean not null,
  label text,
  metadata text,
  created_at bigint not null,
  updated_at bigint,                -- null: as created_at
  hidden_at bigint,
  newest_sequence integer not null default 1,
  round integer not null default 1,
  step smallint,
  tries integer not null default 0,
  aim smallint,                     -- null: to be completed
  deadline_at bigint,
  failure text,                     -- one JSON object
  lines json not null
);

create index orders_by_customer on order_rows (customer_id, order_id) where customer_id is not null;

create table ledger_rows (
  order_id uuid primary key,        -- one row an order, by construction
  quantity bigint not null,
  total_minor bigint not null,
  currency text not null,
  recorded_at bigint not null
);

create table key_rows (
  principal text collate "C" not null,    -- '': anonymous
  operation smallint not null,
  key text collate "C" not null,
  scheme smallint not null,
  digest bytea not null,
  status smallint not null,
  renderer smallint,                -- rebuilds the answer from the order ...
  reply bytea,                      -- ... or here it is
  order_id uuid,
  created_at bigint not null,
  primary key (principal, operation, key)
);

create table event_rows (
  order_id uuid not null,
  sequence integer not null,
  event_id uuid not null,
  kind smallint not null,
  payload text,
  occurred_at bigint not null,
  traceparent text,
  primary key (order_id, sequence)
);

create unique index events_by_id on event_rows (event_id);

create table wake_rows (
  consumer uuid not null,           -- an endpoint; all zeros: fulfilment
  order_id uuid not null,
  since integer not null,
  head integer not null,
  due_at bigint not null,
  attempt integer not null default 0,
  received integer not null default 0,
  tries integer not null default 0,
  last_error text,
  primary key (consumer, order_id)
);

create index wakes_by_due on wake_rows (consumer, due_at);

create table delivery_rows (
  endpoint_id uuid not null,
  delivery_id uuid not null,
  event_id uuid not null,
  number integer not null,
  status integer,
  error text,
  duration_ms bigint not null,
  primary key (endpoint_id, delivery_id)
);

create table stock_rows (
  item_id text collate "C" primary key,
  on_hand bigint not null,
  reserved bigint not null,
  check (reserved between 0 and on_hand)
);

create table transfer_rows (
  subject uuid not null,            -- an order, or an adjustment
  number integer not null,
  kind smallint not null,           -- 1 pending, 2 posted, 3 voided, 4 transfer, 5 reversal
  pending_number integer,           -- which one is posted or voided
  item_id text collate "C",         -- null: money, in the currency of the order
  debit smallint not null,          -- 1 customers, 2 sales, 3 stock, 4 supply
  credit smallint not null,
  amount bigint not null check (amount > 0),
  reason text,
  occurred_at bigint not null,
  primary key (subject, number)
);

create table record_rows (
  kind text collate "C" not null,
  id text collate "C" not null,
  version integer not null,
  body bytea not null,
  primary key (kind, id)
);

-- What was recorded stays recorded.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;

create trigger ledger_is_never_updated before update on ledger_rows
for each row execute function refuse_change();
create trigger ledger_is_never_deleted before delete on ledger_rows
for each row execute function refuse_change();
create trigger events_are_never_updated before update on event_rows
for each row execute function refuse_change();
create trigger events_are_never_deleted before delete on event_rows
for each row execute function refuse_change();
create trigger transfers_are_never_updated before update on transfer_rows
for each row execute function refuse_change();
create trigger transfers_are_never_deleted before delete on transfer_rows
for each row execute function refuse_change();

-- The one table of moves, and the version that counts them, whoever writes.

create function refuse_move() returns trigger language plpgsql as $$
begin
  if new.status <> old.status and (old.status, new.status) not in (
    (0, 1), (0, 5), (1, 2), (1, 3), (1, 6), (3, 4), (3, 5), (3, 6), (4, 0), (6, 1), (6, 3), (2, 7))
  then
    raise exception 'an order cannot move like that';
  end if;
  if new.version <> old.version and new.version <> old.version + 1 then
    raise exception 'a version counts up by one';
  end if;
  return new;
end $$;

create trigger orders_move_along_the_table before update on order_rows
for each row execute function refuse_move();

-- For people.

create function moment(bigint) returns timestamptz language sql immutable parallel safe
as $$ select to_timestamp($1 / 1000.0) $$;

create view orders as
select
  order_id, customer_id, customer_name,
  coalesce(lines -> 0 ->> 0, lines -> 0 ->> 1) as item_id,
  (select sum((line ->> 2)::bigint) from json_array_elements(lines) as line) as quantity,
  (array['created', 'processing', 'completed', 'compensating', 'failed', 'cancelled',
    'needs_review', 'refunded'])[status + 1] as status,
  version, currency, total_minor, label,
  moment(created_at) as created_at,
  moment(coalesce(updated_at, created_at)) as updated_at
from order_rows
where hidden_at is null;

create view order_lines as
select
  order_id, line_number,
  line ->> 0 as item_id, line ->> 1 as name,
  (line ->> 2)::bigint as quantity, (line ->> 3)::bigint as unit_price_minor
from order_rows, json_array_elements(lines) with ordinality as them (line, line_number);

create view ledger as
select
  order_id as ledger_id, order_id, customer_id, quantity, l.total_minor, l.currency,
  moment(recorded_at) as recorded_at
from ledger_rows as l join order_rows as o using (order_id);

create view idempotency_records as
select
  key as idempotency_key, principal,
  (array['POST /v1/orders', 'POST /orders', 'POST /v1/products', 'POST /products',
    'POST /v1/orders/{order_id}/refunds'])[operation] as operation,
  encode(digest, 'hex') as fingerprint,
  status, order_id, moment(created_at) as created_at
from key_rows;

create view events as
select
  event_id, order_id, sequence,
  (array['order.created.v1', 'order.labelled.v1', 'order.hidden.v1', 'order.processing.v1',
    'stock.reserved.v1', 'payment.authorised.v1', 'payment.captured.v1', 'stock.committed.v1',
    'order.completed.v1', 'order.try_failed.v1', 'payment.declined.v1',
    'order.cancel_requested.v1', 'order.compensating.v1', 'payment.voided.v1',
    'stock.released.v1', 'order.failed.v1', 'order.cancelled.v1', 'order.needs_review.v1',
    'order.redriven.v1', 'order.decided.v1', 'refund.requested.v1', 'payment.refunded.v1',
    'refund.failed.v1', 'order.refunded.v1'])[kind] as kind,
  payload, moment(occurred_at) as occurred_at, traceparent
from event_rows;

create view outbox as
select
  case consumer when '00000000-0000-0000-0000-000000000000' then 'fulfil' else 'announce' end
    as consumer,
  order_id as subject, since, head, moment(due_at) as due_at, attempt, tries, last_error
from wake_rows;

create view transfers as
select
  o.order_id, number,
  (array['pending', 'posted', 'voided', 'transfer', 'reversal'])[kind] as kind,
  pending_number as pending_id,
  coalesce('SKU:' || item_id, currency) as asset,
  (array['customers', 'sales', 'stock', 'supply'])[debit] as debit_account,
  (array['customers', 'sales', 'stock', 'supply'])[credit] as credit_account,
  amount, reason, moment(occurred_at) as occurred_at
from transfer_rows left join order_rows as o on o.order_id = subject;

create view stock as
select item_id, on_hand, reserved, on_hand - reserved as available from stock_rows;

create view dead_letters as
select
  body ->> 'order_id' as order_id, body ->> 'reason' as reason, body ->> 'step' as step,
  body ->> 'error' as error, body ->> 'compensated' as compensated, body ->> 'state' as state,
  moment((body ->> 'failed_at_ms')::bigint) as failed_at
from (select convert_from(body, 'UTF8')::json as body from record_rows where kind = 'letter')
  as letters;

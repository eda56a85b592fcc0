-- Orders, and all that one placing writes.
--
-- Tables end in _rows and are made for the machine; the views over them are made for people and
-- carry the names that people know. An order's row number is the first half of its UUIDv7 (time
-- and counter), the column `random` the second half: rows are appended in the order of their ids,
-- and the UUID is stored once. A row is small because it says nothing twice: a time that is the
-- order's own is null, and an event stands at a distance from its order, not at a number of its own.

create table order_rows (
  order_id integer primary key,
  random integer not null,
  status integer not null default 0,
  version integer not null default 1,
  customer_id text,
  customer_name text,
  currency text not null,
  total_minor integer not null,
  captured_minor integer not null default 0,
  refunded_minor integer not null default 0,
  contract integer not null,
  fulfil integer not null,
  label text,
  metadata text,
  created_at integer not null,
  updated_at integer,               -- null: as created_at
  hidden_at integer,
  newest_event integer              -- its distance from order_id; events are chained by `previous`
) strict;

create table line_rows (
  order_id integer not null,
  line_number integer not null,
  item_id text,
  name text,
  quantity integer not null,
  unit_price_minor integer not null,
  primary key (order_id, line_number)
) strict, without rowid;

create table ledger_rows (
  order_id integer primary key,     -- one row an order, by construction
  quantity integer not null,
  total_minor integer not null,
  currency text not null            -- recorded when the order was created
) strict;

create table key_rows (
  record_id integer primary key,
  principal text,                   -- null: anonymous
  operation integer not null,
  key text not null,
  scheme integer not null,
  digest blob not null,
  status integer not null,
  renderer integer,                 -- rebuilds the answer from the order ...
  reply blob,                       -- ... or here it is
  order_id integer,
  created_at integer                -- null: as the order
) strict;

create table event_rows (
  event_id integer primary key,
  random integer not null,
  after_order integer not null,     -- its distance from the order's order_id
  sequence integer not null,
  kind integer not null,
  payload text,
  occurred_at integer,              -- null: when the order was created
  traceparent text,
  previous integer                  -- the event before it of the same order
) strict;

create table wake_rows (
  consumer integer not null,
  order_id integer not null,
  head integer not null,
  due_at integer not null,
  attempt integer not null default 0,
  last_error text,
  primary key (consumer, order_id)
) strict, without rowid;

create table record_rows (
  kind text not null,
  id text not null,
  version integer not null,
  body blob not null,
  primary key (kind, id)
) strict, without rowid;

-- Two indexes on text that clients choose. Their newest entries are in memory only and are moved
-- here sorted, many at a time; `moved_to` is the last row whose entry is here.

create table key_index (
  hash integer not null,
  record_id integer not null,
  primary key (hash, record_id)
) strict, without rowid;

create table customer_index (
  hash integer not null,
  order_id integer not null,
  primary key (hash, order_id)
) strict, without rowid;

create table index_state (
  name text primary key,
  moved_to integer not null
) strict, without rowid;

insert into index_state values ('key_index', 0), ('customer_index', 0);

-- What was recorded stays recorded.

create trigger ledger_is_never_updated before update on ledger_rows
begin select raise(abort, 'the ledger is append-only'); end;

create trigger ledger_is_never_deleted before delete on ledger_rows
begin select raise(abort, 'the ledger is append-only'); end;

create trigger events_are_never_updated before update on event_rows
begin select raise(abort, 'events are append-only'); end;

create trigger events_are_never_deleted before delete on event_rows
begin select raise(abort, 'events are append-only'); end;

-- For people, and for the SQL that the older systems' users know.

create view orders as
select
  printf('%08x-%04x-7%03x-%04x-%012x', order_id >> 28, (order_id >> 12) & 65535, order_id & 4095,
    32768 | (random >> 48), random & 281474976710655) as order_id,
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

create view order_lines as
select
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) as order_id,
  line_number, item_id, name, quantity, unit_price_minor
from line_rows join order_rows as o using (order_id);

-- `limit -1` keeps the view in one piece, so that a join on its order_id gets an index.
create view ledger as
select
  order_id as ledger_id,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) as order_id,
  customer_id, quantity, l.total_minor, l.currency,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as recorded_at
from ledger_rows as l join order_rows as o using (order_id)
limit -1;

create view idempotency_records as
select
  key as idempotency_key,
  coalesce(principal, '') as principal,
  case operation when 1 then 'POST /v1/orders' when 2 then 'POST /orders' end as operation,
  lower(hex(digest)) as fingerprint,
  k.status,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) as order_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(k.created_at, o.created_at) / 1000.0, 'unixepoch')
    as created_at
from key_rows as k left join order_rows as o using (order_id);

create view events as
select
  printf('%08x-%04x-7%03x-%04x-%012x', e.event_id >> 28, (e.event_id >> 12) & 65535,
    e.event_id & 4095, 32768 | (e.random >> 48), e.random & 281474976710655) as event_id,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (o.random >> 48), o.random & 281474976710655) as order_id,
  sequence,
  case kind when 1 then 'order.created.v1' end as kind,
  payload,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(occurred_at, created_at) / 1000.0, 'unixepoch')
    as occurred_at,
  traceparent
from event_rows as e join order_rows as o on o.order_id = e.event_id - after_order;

create view outbox as
select
  case consumer when 1 then 'fulfil' end as consumer,
  printf('%08x-%04x-7%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    o.order_id & 4095, 32768 | (random >> 48), random & 281474976710655) as subject,
  head,
  strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') as due_at,
  attempt,
  last_error
from wake_rows join order_rows as o using (order_id);

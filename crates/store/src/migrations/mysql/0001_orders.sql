-- Orders, and all that is written for them.
--
-- Tables end in _rows and are made for the machine; the views over them are made for people and
-- carry the names that people know. Times are milliseconds since 1970; ids are UUIDv7 as 16 bytes,
-- so that their order is that of their times. Text that is compared is kept as bytes: a collation
-- would take other text for the same, were it only for blanks at its end. What stays as it was
-- placed with an order is in its row: `lines` is JSON, an array [item_id, name, quantity,
-- unit_price_minor] for each.
--
-- Every statement may be run again: this engine has no transaction around them.

create table if not exists order_rows (
  order_id binary(16) primary key,
  status smallint not null,
  version int not null,
  customer_id varbinary(512),
  customer_name varchar(200),
  currency char(3) not null,
  total_minor bigint not null,
  captured_minor bigint not null default 0,
  refunded_minor bigint not null default 0,
  contract smallint not null,
  fulfil boolean not null,
  label varchar(20),
  metadata mediumtext,
  created_at bigint not null,
  updated_at bigint,                -- null: as created_at
  hidden_at bigint,
  newest_sequence int not null default 1,
  round int not null default 1,
  step smallint,
  tries int not null default 0,
  aim smallint,                     -- null: to be completed
  deadline_at bigint,
  failure text,                     -- one JSON object
  `lines` json not null,
  key orders_by_customer (customer_id, order_id)
) engine = InnoDB default charset = utf8mb4;

create table if not exists ledger_rows (
  order_id binary(16) primary key,  -- one row an order, by construction
  quantity bigint not null,
  total_minor bigint not null,
  currency char(3) not null,
  recorded_at bigint not null
) engine = InnoDB default charset = utf8mb4;

create table if not exists key_rows (
  principal varbinary(255) not null,      -- '': anonymous
  operation smallint not null,
  idempotency_key varbinary(255) not null,
  scheme smallint not null,
  digest varbinary(32) not null,
  status smallint not null,
  renderer smallint,                -- rebuilds the answer from the order ...
  reply mediumblob,                 -- ... or here it is
  order_id binary(16),
  created_at bigint not null,
  primary key (principal, operation, idempotency_key)
) engine = InnoDB default charset = utf8mb4;

create table if not exists event_rows (
  order_id binary(16) not null,
  sequence int not null,
  event_id binary(16) not null,
  kind smallint not null,
  payload mediumtext,
  occurred_at bigint not null,
  traceparent varchar(64),
  primary key (order_id, sequence),
  unique key events_by_id (event_id)
) engine = InnoDB default charset = utf8mb4;

create table if not exists wake_rows (
  consumer binary(16) not null,     -- an endpoint; all zeros: fulfilment
  order_id binary(16) not null,
  since int not null,
  head int not null,
  due_at bigint not null,
  attempt int not null default 0,
  received int not null default 0,
  tries int not null default 0,
  last_error text,
  primary key (consumer, order_id),
  key wakes_by_due (consumer, due_at)
) engine = InnoDB default charset = utf8mb4;

create table if not exists delivery_rows (
  endpoint_id binary(16) not null,
  delivery_id binary(16) not null,
  event_id binary(16) not null,
  number int not null,
  status int,
  error text,
  duration_ms bigint not null,
  primary key (endpoint_id, delivery_id)
) engine = InnoDB default charset = utf8mb4;

create table if not exists stock_rows (
  item_id varbinary(512) primary key,
  on_hand bigint not null,
  reserved bigint not null,
  check (reserved between 0 and on_hand)
) engine = InnoDB default charset = utf8mb4;

create table if not exists transfer_rows (
  subject binary(16) not null,      -- an order, or an adjustment
  number int not null,
  kind smallint not null,           -- 1 pending, 2 posted, 3 voided, 4 transfer, 5 reversal
  pending_number int,               -- which one is posted or voided
  item_id varbinary(512),           -- null: money, in the currency of the order
  debit smallint not null,          -- 1 customers, 2 sales, 3 stock, 4 supply
  credit smallint not null,
  amount bigint not null check (amount > 0),
  reason text,
  occurred_at bigint not null,
  primary key (subject, number)
) engine = InnoDB default charset = utf8mb4;

create table if not exists record_rows (
  kind varbinary(20) not null,
  id varbinary(512) not null,
  version int not null,
  body mediumblob not null,
  primary key (kind, id)
) engine = InnoDB default charset = utf8mb4;

-- What was recorded stays recorded; a reset says that it is one.

drop trigger if exists ledger_is_never_updated;
create trigger ledger_is_never_updated before update on ledger_rows for each row
signal sqlstate '45000' set message_text = 'the ledger is append-only';

drop trigger if exists ledger_is_never_deleted;
create trigger ledger_is_never_deleted before delete on ledger_rows for each row
begin
  if @orderd_reset is null then
    signal sqlstate '45000' set message_text = 'the ledger is append-only';
  end if;
end;

drop trigger if exists events_are_never_updated;
create trigger events_are_never_updated before update on event_rows for each row
signal sqlstate '45000' set message_text = 'events are append-only';

drop trigger if exists events_are_never_deleted;
create trigger events_are_never_deleted before delete on event_rows for each row
begin
  if @orderd_reset is null then
    signal sqlstate '45000' set message_text = 'events are append-only';
  end if;
end;

drop trigger if exists transfers_are_never_updated;
create trigger transfers_are_never_updated before update on transfer_rows for each row
signal sqlstate '45000' set message_text = 'transfers are append-only';

drop trigger if exists transfers_are_never_deleted;
create trigger transfers_are_never_deleted before delete on transfer_rows for each row
begin
  if @orderd_reset is null then
    signal sqlstate '45000' set message_text = 'transfers are append-only';
  end if;
end;

-- The one table of moves, and the version that counts them, whoever writes.

drop trigger if exists orders_move_along_the_table;
create trigger orders_move_along_the_table before update on order_rows for each row
begin
  if new.status <> old.status and (old.status, new.status) not in (
    (0, 1), (0, 5), (1, 2), (1, 3), (1, 6), (3, 4), (3, 5), (3, 6), (4, 0), (6, 1), (6, 3), (2, 7))
  then
    signal sqlstate '45000' set message_text = 'an order cannot move like that';
  end if;
  if new.version <> old.version and new.version <> old.version + 1 then
    signal sqlstate '45000' set message_text = 'a version counts up by one';
  end if;
end;

-- For people.

drop function if exists uuid_text;
create function uuid_text(id binary(16)) returns char(36) charset utf8mb4 deterministic no sql
return lower(insert(insert(insert(insert(hex(id), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'));

create or replace view orders as
select
  uuid_text(order_id) as order_id, convert(customer_id using utf8mb4) as customer_id, customer_name,
  coalesce(json_value(`lines`, '$[0][0]'), json_value(`lines`, '$[0][1]')) as item_id,
  cast((select sum(line.quantity)
    from json_table(`lines`, '$[*]' columns (quantity bigint path '$[2]')) as line) as signed)
    as quantity,
  elt(status + 1, 'created', 'processing', 'completed', 'compensating', 'failed', 'cancelled',
    'needs_review', 'refunded') as status,
  version, currency, total_minor, label,
  from_unixtime(created_at / 1000) as created_at,
  from_unixtime(coalesce(updated_at, created_at) / 1000) as updated_at
from order_rows
where hidden_at is null;

create or replace view order_lines as
select
  uuid_text(order_id) as order_id, line_number, line.item_id, line.name, line.quantity,
  line.unit_price_minor
from order_rows, json_table(`lines`, '$[*]' columns (
  line_number for ordinality, item_id varchar(128) path '$[0]', name varchar(200) path '$[1]',
  quantity bigint path '$[2]', unit_price_minor bigint path '$[3]')) as line;

create or replace view ledger as
select
  uuid_text(l.order_id) as ledger_id, uuid_text(l.order_id) as order_id,
  convert(customer_id using utf8mb4) as customer_id, quantity, l.total_minor, l.currency,
  from_unixtime(recorded_at / 1000) as recorded_at
from ledger_rows as l join order_rows as o on o.order_id = l.order_id;

create or replace view idempotency_records as
select
  convert(idempotency_key using utf8mb4) as idempotency_key,
  convert(principal using utf8mb4) as principal,
  elt(operation, 'POST /v1/orders', 'POST /orders', 'POST /v1/products', 'POST /products',
    'POST /v1/orders/{order_id}/refunds') as operation,
  lower(hex(digest)) as fingerprint,
  status, uuid_text(order_id) as order_id, from_unixtime(created_at / 1000) as created_at
from key_rows;

create or replace view events as
select
  uuid_text(event_id) as event_id, uuid_text(order_id) as order_id, sequence,
  elt(kind, 'order.created.v1', 'order.labelled.v1', 'order.hidden.v1', 'order.processing.v1',
    'stock.reserved.v1', 'payment.authorised.v1', 'payment.captured.v1', 'stock.committed.v1',
    'order.completed.v1', 'order.try_failed.v1', 'payment.declined.v1',
    'order.cancel_requested.v1', 'order.compensating.v1', 'payment.voided.v1',
    'stock.released.v1', 'order.failed.v1', 'order.cancelled.v1', 'order.needs_review.v1',
    'order.redriven.v1', 'order.decided.v1', 'refund.requested.v1', 'payment.refunded.v1',
    'refund.failed.v1', 'order.refunded.v1') as kind,
  payload, from_unixtime(occurred_at / 1000) as occurred_at, traceparent
from event_rows;

create or replace view outbox as
select
  if(hex(consumer) = repeat('0', 32), 'fulfil', 'announce') as consumer,
  uuid_text(order_id) as subject, since, head, from_unixtime(due_at / 1000) as due_at, attempt,
  tries, last_error
from wake_rows;

create or replace view transfers as
select
  uuid_text(o.order_id) as order_id, number,
  elt(kind, 'pending', 'posted', 'voided', 'transfer', 'reversal') as kind,
  pending_number as pending_id,
  coalesce(concat('SKU:', convert(item_id using utf8mb4)), currency) as asset,
  elt(debit, 'customers', 'sales', 'stock', 'supply') as debit_account,
  elt(credit, 'customers', 'sales', 'stock', 'supply') as credit_account,
  amount, reason, from_unixtime(occurred_at / 1000) as occurred_at
from transfer_rows left join order_rows as o on o.order_id = subject;

create or replace view stock as
select
  convert(item_id using utf8mb4) as item_id, on_hand, reserved, on_hand - reserved as available
from stock_rows;

create or replace view dead_letters as
select
  json_value(body, '$.order_id') as order_id, json_value(body, '$.reason') as reason,
  json_value(body, '$.step') as step, json_value(body, '$.error') as error,
  json_value(body, '$.compensated') as compensated, json_value(body, '$.state') as state,
  from_unixtime(json_value(body, '$.failed_at_ms') / 1000) as failed_at
from (select convert(body using utf8mb4) as body from record_rows where kind = 'letter') as letters;

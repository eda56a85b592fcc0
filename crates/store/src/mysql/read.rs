//! Reading. Each is one statement, or several that may see different moments.

use super::rows::{self, Columns, failed, id, json, number, optional, status_code, waiting};
use super::write::consumer;
use crate::server::pages::{self, lines_at, whole_order};
use crate::{
    DeliveryQuery, Error, EventQuery, LETTERS_MAX, LetterQuery, OrderQuery, Page, RecordPage,
    RecordQuery, Stats, WAITING_MAX,
};
use domain::idempotency::{Scope, Seen};
use domain::{
    Consumer, Delivery, DeliveryId, EndpointId, Event, EventId, ItemId, Order, OrderId, Record,
    RecordId, Stock, Transfer,
};
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, MySqlExecutor, MySqlPool};
use uuid::Uuid;

/// The most orders that one page looks at. A page of a rare status may hold less than was asked
/// for and still have a next one, so that no request reads the whole table.
const SCAN_MAX: i64 = 10_000;

/// The order with this id, hidden ones too.
pub(super) async fn order(
    from: impl MySqlExecutor<'_>,
    id: OrderId,
) -> Result<Option<Order>, Error> {
    let row = sqlx::query(
        "select o.order_id, o.status, o.version, o.customer_id, o.customer_name, o.currency,
           o.total_minor, o.captured_minor, o.refunded_minor, o.contract, o.fulfil, o.label,
           o.metadata, o.created_at, o.updated_at, o.hidden_at, o.newest_sequence, o.round,
           o.step, o.tries, o.aim, o.deadline_at, o.failure, o.trace, o.`lines`
         from order_rows as o where order_id = ?",
    )
    .bind(bytes(id.as_uuid()))
    .fetch_optional(from)
    .await
    .map_err(failed)?;
    row.as_ref().map(whole_order).transpose()
}

/// What is remembered under a key.
pub(super) async fn seen(
    from: impl MySqlExecutor<'_>,
    scope: &Scope,
) -> Result<Option<Seen>, Error> {
    let row = sqlx::query(
        "select o.order_id, o.status, o.version, o.customer_id, o.customer_name, o.currency,
           o.total_minor, o.captured_minor, o.refunded_minor, o.contract, o.fulfil, o.label,
           o.metadata, o.created_at, o.updated_at, o.hidden_at, o.newest_sequence, o.round,
           o.step, o.tries, o.aim, o.deadline_at, o.failure, o.trace, o.`lines`,
           k.scheme, k.digest, k.status, k.renderer, k.reply, k.created_at
         from key_rows as k left join order_rows as o on o.order_id = k.order_id
         where principal = ? and operation = ? and idempotency_key = ?",
    )
    .bind(scope.principal.as_str())
    .bind(i64::from(scope.operation.code()))
    .bind(scope.key.as_str())
    .fetch_optional(from)
    .await
    .map_err(failed)?;
    let Some(row) = row else {
        return Ok(None);
    };
    // The first column of an order that is there.
    let order = match row.bytes(0)? {
        Some(_) => Some(whole_order(&row)?),
        None => None,
    };
    rows::seen(&row, lines_at::<MySqlRow>() + 1, order).map(Some)
}

/// A page of orders, newest first; hidden ones are left out.
pub(super) async fn orders(
    pool: &MySqlPool,
    query: &OrderQuery,
) -> Result<Page<Order, OrderId>, Error> {
    let before = query.before.map_or(Uuid::max(), OrderId::as_uuid);
    let from = query.from.map_or(Uuid::nil(), OrderId::as_uuid);
    let customer_id = query.customer_id.as_ref().map(domain::CustomerId::as_str);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX - 1);
    let statement = match customer_id {
        Some(customer_id) => sqlx::query(
            "select o.order_id, o.status, o.version, o.customer_id, o.customer_name, o.currency,
               o.total_minor, o.captured_minor, o.refunded_minor, o.contract, o.fulfil, o.label,
               o.metadata, o.created_at, o.updated_at, o.hidden_at, o.newest_sequence, o.round,
               o.step, o.tries, o.aim, o.deadline_at, o.failure, o.trace, o.`lines`
             from (select * from order_rows
               where customer_id = ? and order_id < ? and order_id >= ?
               order by order_id desc limit ?) as o
             where o.hidden_at is null and o.status = coalesce(?, o.status)
             order by o.order_id desc limit ?",
        )
        .bind(customer_id),
        None => sqlx::query(
            "select o.order_id, o.status, o.version, o.customer_id, o.customer_name, o.currency,
               o.total_minor, o.captured_minor, o.refunded_minor, o.contract, o.fulfil, o.label,
               o.metadata, o.created_at, o.updated_at, o.hidden_at, o.newest_sequence, o.round,
               o.step, o.tries, o.aim, o.deadline_at, o.failure, o.trace, o.`lines`
             from (select * from order_rows
               where order_id < ? and order_id >= ?
               order by order_id desc limit ?) as o
             where o.hidden_at is null and o.status = coalesce(?, o.status)
             order by o.order_id desc limit ?",
        ),
    };
    let statement = statement
        .bind(bytes(before))
        .bind(bytes(from))
        .bind(SCAN_MAX)
        .bind(query.status.map(status_code))
        .bind(limit + 1);
    let rows = statement.fetch_all(pool).await.map_err(failed)?;
    let mut items: Vec<Order> = rows.iter().map(whole_order).collect::<Result<_, _>>()?;
    if items.len() > query.limit {
        items.truncate(query.limit);
        let next = items.last().map(|order| order.id);
        return Ok(Page { items, next });
    }
    // Not full, and perhaps only because it looked at no more.
    let last = match customer_id {
        Some(customer_id) => sqlx::query(
            "select order_id from order_rows
             where customer_id = ? and order_id < ? and order_id >= ?
             order by order_id desc limit 1 offset ?",
        )
        .bind(customer_id),
        None => sqlx::query(
            "select order_id from order_rows where order_id < ? and order_id >= ?
             order by order_id desc limit 1 offset ?",
        ),
    };
    let last = last
        .bind(bytes(before))
        .bind(bytes(from))
        .bind(SCAN_MAX - 1)
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    let next = last.map(|row| row.id(0)).transpose()?.map(OrderId::new);
    Ok(Page { items, next })
}

/// The events of an order, in their sequence.
pub(super) async fn events(pool: &MySqlPool, order_id: OrderId) -> Result<Vec<Event>, Error> {
    let rows = sqlx::query(
        "select event_id, sequence, kind, payload, occurred_at, traceparent from event_rows
         where order_id = ? order by sequence limit 10000",
    )
    .bind(bytes(order_id.as_uuid()))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    rows.iter().map(|row| rows::event(row, order_id)).collect()
}

/// A page of the events of all orders, by their ids.
pub(super) async fn events_after(
    pool: &MySqlPool,
    query: EventQuery,
) -> Result<Page<Event, EventId>, Error> {
    let rows = sqlx::query(
        "select event_id, sequence, kind, payload, occurred_at, traceparent, order_id
         from event_rows where event_id > ? order by event_id limit ?",
    )
    .bind(bytes(query.after.as_uuid()))
    .bind(limit(query.limit))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    pages::events(&rows, query.limit)
}

/// The newest of all events.
pub(super) async fn newest_event(pool: &MySqlPool) -> Result<Option<EventId>, Error> {
    let row = sqlx::query("select event_id from event_rows order by event_id desc limit 1")
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    row.map(|row| row.id(0).map(EventId::new)).transpose()
}

/// A page of the log of an endpoint, the newest try first.
pub(super) async fn deliveries(
    pool: &MySqlPool,
    query: &DeliveryQuery,
) -> Result<Page<Delivery, DeliveryId>, Error> {
    let before = query.before.map_or(Uuid::max(), DeliveryId::as_uuid);
    let rows = sqlx::query(
        "select delivery_id, d.event_id, e.kind, e.order_id, number, d.status, error, duration_ms
         from delivery_rows as d join event_rows as e using (event_id)
         where endpoint_id = ? and delivery_id < ?
           and (not ? or d.status between 200 and 299)
         order by delivery_id desc limit ?",
    )
    .bind(bytes(query.endpoint_id.as_uuid()))
    .bind(bytes(before))
    .bind(query.succeeded)
    .bind(limit(query.limit))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    pages::deliveries(&rows, query.endpoint_id, query.limit)
}

/// The transfers of an order, in the order of their numbers.
pub(super) async fn transfers(pool: &MySqlPool, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
    let rows = sqlx::query(
        "select number, kind, pending_number, item_id, debit, credit, amount, reason, occurred_at,
           currency
         from transfer_rows join order_rows on order_id = subject
         where subject = ? order by number limit 100000",
    )
    .bind(bytes(order_id.as_uuid()))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    rows.iter()
        .map(|row| rows::transfer(row, order_id))
        .collect()
}

/// The stock of items, in the same order; `None` where it is not counted.
pub(super) async fn stocks(
    pool: &MySqlPool,
    items: &[ItemId],
) -> Result<Vec<Option<Stock>>, Error> {
    let rows = sqlx::query(
        "select s.item_id, s.on_hand, s.reserved
         from json_table(?, '$[*]' columns (item_id varchar(128) path '$[0]')) as wanted
           straight_join stock_rows as s on s.item_id = wanted.item_id",
    )
    .bind(json(items, |item_id| (item_id.as_str(),)))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    pages::stock(&rows, items)
}

/// The records with these ids, in the same order.
pub(super) async fn records(
    pool: &MySqlPool,
    ids: &[RecordId],
) -> Result<Vec<Option<Record>>, Error> {
    let rows = sqlx::query(
        "select wanted.number, r.version, r.body
         from json_table(?, '$[*]' columns (number for ordinality, kind varchar(20) path '$[0]',
             id varchar(128) path '$[1]')) as wanted
           straight_join record_rows as r on r.kind = wanted.kind and r.id = wanted.id",
    )
    .bind(json(ids, |it| (it.kind.as_str(), &*it.id)))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    pages::records(&rows, ids.len())
}

/// A page of records of one kind, by their ids, byte for byte.
pub(super) async fn list(pool: &MySqlPool, query: &RecordQuery) -> Result<RecordPage, Error> {
    let found = sqlx::query(
        "select id, version, body from record_rows where kind = ? and id > ?
         order by id limit ?",
    );
    let found = found.bind(query.kind.as_str());
    page(pool, found, query.after.as_deref(), query.limit).await
}

/// A page of the dead letters that wait for an operator, by their ids, byte for byte.
pub(super) async fn waiting_letters(
    pool: &MySqlPool,
    query: &LetterQuery,
) -> Result<RecordPage, Error> {
    let found = sqlx::query(
        "select id, version, body from record_rows force index (letters_waiting)
         where waiting = 1 and kind = 'letter' and id > ? order by id limit ?",
    );
    page(pool, found, query.after.as_deref(), query.limit).await
}

/// A page of what a statement finds that takes an id and a limit last.
async fn page(
    pool: &MySqlPool,
    found: Query<'_, MySql, MySqlArguments>,
    after: Option<&str>,
    size: usize,
) -> Result<RecordPage, Error> {
    let rows = found
        .bind(after.unwrap_or(""))
        // One more than asked for says whether there is a next page.
        .bind(limit(size.saturating_add(1)))
        .fetch_all(pool)
        .await
        .map_err(failed)?;
    pages::list(&rows, size)
}

/// Figures about what is kept.
pub(super) async fn stats(
    pool: &MySqlPool,
    location: &str,
    told: &[EndpointId],
) -> Result<Stats, Error> {
    let fulfil = consumer(Consumer::Fulfil);
    let row = sqlx::query(
        "select (select max(version) from schema_migrations),
           (select count(*) from (select 1 from wake_rows where consumer = ? limit ?) as w),
           (select min(due_at) from wake_rows where consumer = ?),
           (select count(*) from (select 1 from wake_rows where consumer > ? limit ?) as w),
           (select min((select min(due_at) from wake_rows where consumer = unhex(told.endpoint)))
             from json_table(?, '$[*]' columns (endpoint char(32) path '$[0]')) as told),
           (select count(*) from (select 1 from record_rows where waiting = 1 limit ?) as letter),
           (select cast(sum(data_length + index_length) as signed) from information_schema.tables
             where table_schema = database() and table_name like '%\\_rows')",
    )
    .bind(&fulfil.as_bytes()[..])
    .bind(WAITING_MAX)
    .bind(&fulfil.as_bytes()[..])
    .bind(&fulfil.as_bytes()[..])
    .bind(WAITING_MAX)
    .bind(json(told, |it| (id(it.as_uuid()),)))
    .bind(LETTERS_MAX)
    .fetch_one(pool)
    .await
    .map_err(failed)?;
    Ok(Stats {
        location: location.to_owned(),
        schema_version: number(&row, 0, "version")?,
        newest_event: newest_event(pool).await?,
        fulfil: waiting(&row, 1)?,
        announce: waiting(&row, 3)?,
        dead_letter_count: number(&row, 5, "count")?,
        size_bytes: optional(&row, 6, "size")?.unwrap_or_default(),
    })
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// An id as it is kept.
fn bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

//! Who is told of events, and the log of the tries.

use super::rows::{self, consumer_code, failed, get, halves, uuid};
use crate::write_sets::{DELIVERIES_MAX, ENDPOINTS_MAX, Subscriber};
use crate::{DeliveryQuery, Error, Page};
use domain::{Consumer, Delivery, DeliveryId, EndpointId, Event, EventId, OrderId};
use rusqlite::{Connection, Row, params};
use std::sync::Arc;

/// Every endpoint that is told of something.
pub(super) fn subscribers(connection: &Connection) -> Result<Arc<[Subscriber]>, Error> {
    let mut select = connection
        .prepare_cached("select id, body from record_rows where kind = 'endpoint' limit ?1")
        .map_err(failed)?;
    let mut rows = select.query([ENDPOINTS_MAX]).map_err(failed)?;
    let mut subscribers = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let body: Vec<u8> = get(row, 1)?;
        subscribers.extend(Subscriber::read(rows::text(row, 0)?, &body));
    }
    Ok(subscribers.into())
}

/// Wakes those who want to be told of an event. One that is under way or waits for its next try
/// goes on as it would.
pub(super) fn announce(
    connection: &Connection,
    subscribers: &[Subscriber],
    event: &Event,
) -> Result<(), Error> {
    for subscriber in subscribers {
        if !subscriber.endpoint.wants(event.kind) {
            continue;
        }
        connection
            .prepare_cached(
                "insert into wake_rows (consumer, order_id, head, due_at, since)
                 values (?1, ?2, ?3, ?4, ?3)
                 on conflict do update set head = max(head, excluded.head)",
            )
            .and_then(|mut upsert| {
                upsert.execute(params![
                    consumer_code(Consumer::Announce(subscriber.id)),
                    halves(event.order_id.as_uuid()).0,
                    event.sequence,
                    event.occurred_at.as_millis(),
                ])
            })
            .map_err(failed)?;
    }
    Ok(())
}

/// Adds a try to the log, and at times removes the old ones.
pub(super) fn delivered(connection: &Connection, delivery: &Delivery) -> Result<bool, Error> {
    let endpoint = halves(delivery.endpoint_id.as_uuid()).0;
    let (delivery_id, random) = halves(delivery.id.as_uuid());
    connection
        .prepare_cached(
            "insert into delivery_rows (endpoint, delivery_id, random, event_id, number, status,
               error, duration_ms)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                endpoint,
                delivery_id,
                random,
                halves(delivery.event_id.as_uuid()).0,
                delivery.number,
                delivery.status,
                delivery.error.as_deref(),
                delivery.duration_ms,
            ])
        })
        .map_err(failed)?;
    if random % 100 == 0 {
        connection
            .prepare_cached(
                "delete from delivery_rows where endpoint = ?1 and delivery_id <= (
                   select delivery_id from delivery_rows where endpoint = ?1
                   order by delivery_id desc limit 1 offset ?2)",
            )
            .and_then(|mut delete| delete.execute(params![endpoint, DELIVERIES_MAX]))
            .map_err(failed)?;
    }
    Ok(true)
}

/// Nobody is woken for an endpoint any more, and its log goes as well.
pub(super) fn forget(connection: &Connection, endpoint_id: EndpointId) -> Result<bool, Error> {
    let consumer = consumer_code(Consumer::Announce(endpoint_id));
    for sql in [
        "delete from wake_rows where consumer = ?1",
        "delete from delivery_rows where endpoint = ?1",
    ] {
        connection.execute(sql, [consumer]).map_err(failed)?;
    }
    Ok(true)
}

/// A page of the log of an endpoint, the newest try first.
pub(super) fn deliveries(
    connection: &Connection,
    query: &DeliveryQuery,
) -> Result<Page<Delivery, DeliveryId>, Error> {
    let mut select = connection
        .prepare_cached(
            "select delivery_id, d.random, event_id, e.random, e.kind, o.order_id, o.random, number,
               d.status, error, duration_ms
             from delivery_rows as d join event_rows as e using (event_id)
               join order_rows as o on o.order_id = event_id - after_order
             where endpoint = ?1 and delivery_id < ?2
               and (not ?3 or d.status between 200 and 299)
             order by delivery_id desc limit ?4",
        )
        .map_err(failed)?;
    let before = query.before.map_or(i64::MAX, |id| halves(id.as_uuid()).0);
    let endpoint = halves(query.endpoint_id.as_uuid()).0;
    let mut rows = select
        .query(params![endpoint, before, query.succeeded, query.limit])
        .map_err(failed)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        items.push(delivery(row, query.endpoint_id)?);
    }
    let is_full = items.len() == query.limit;
    let next = items.last().map(|last| last.id).filter(|_| is_full);
    Ok(Page { items, next })
}

fn delivery(row: &Row<'_>, endpoint_id: EndpointId) -> Result<Delivery, Error> {
    Ok(Delivery {
        id: DeliveryId::new(uuid(get(row, 0)?, get(row, 1)?)),
        endpoint_id,
        event_id: EventId::new(uuid(get(row, 2)?, get(row, 3)?)),
        kind: rows::event_kind(row, 4)?,
        order_id: OrderId::new(uuid(get(row, 5)?, get(row, 6)?)),
        number: get(row, 7)?,
        status: get(row, 8)?,
        error: get::<Option<String>>(row, 9)?.map(Into::into),
        duration_ms: get(row, 10)?,
    })
}

//! Reading orders, pages of orders and events. Each is one look at the file.

use super::Indexes;
use super::index::Found;
use super::rows::{
    self, BEHIND_ORDER, customer_hash, event, failed, get, halves, line, status_code, uuid,
};
use crate::{Error, EventQuery, OrderQuery, Page};
use domain::{Event, EventId, Order, OrderId};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

/// The most rows of one hash that are looked at: hashes are rarely shared.
pub(super) const CANDIDATES_MAX: usize = 16;
/// The most orders that one page looks at. A page of a rare status may hold less than was asked
/// for and still have a next one, so that no request reads the whole table.
const SCAN_MAX: usize = 10_000;
/// The same for the orders of one customer, each of which is looked up by itself.
const OF_CUSTOMER_MAX: usize = 1_000;

/// The order with this id, hidden ones too.
pub(super) fn order(connection: &Connection, id: OrderId) -> Result<Option<Order>, Error> {
    let (order_id, random) = halves(id.as_uuid());
    let mut select = connection
        .prepare_cached(
            "select order_id, random, status, version, customer_id, customer_name, currency,
               total_minor, captured_minor, refunded_minor, contract, fulfil, label, metadata,
               created_at, updated_at, hidden_at, newest_sequence, round, step, tries, aim,
               deadline_at, failure, trace, item_id, name, quantity, unit_price_minor
             from order_rows join line_rows using (order_id)
             where order_id = ?1 and random = ?2
             order by line_number",
        )
        .map_err(failed)?;
    let rows = select.query(params![order_id, random]).map_err(failed)?;
    Ok(orders_of(rows)?.pop())
}

/// Orders of rows that hold an order and one line each, the lines of an order side by side.
fn orders_of(mut rows: Rows<'_>) -> Result<Vec<Order>, Error> {
    let mut orders: Vec<Order> = Vec::new();
    let mut current = None;
    while let Some(row) = rows.next().map_err(failed)? {
        let order_id: i64 = get(row, 0)?;
        if current.replace(order_id) != Some(order_id) {
            orders.push(rows::order(row)?);
        }
        if let Some(order) = orders.last_mut() {
            order.lines.push(line(row, BEHIND_ORDER)?);
        }
    }
    Ok(orders)
}

/// What the index of customers has in memory for a query, where it is asked and there is one.
pub(super) fn look(indexes: &Indexes, query: &OrderQuery) -> Option<Found> {
    let (customers, customer_id) = (indexes.customers.as_ref()?, query.customer_id.as_ref()?);
    let before = query.before.map_or(i64::MAX, |id| halves(id.as_uuid()).0);
    // One row more than is looked at says whether there is a next page.
    let limit = of_customer_max(query) + 1;
    Some(customers.look(customer_hash(customer_id), before, limit))
}

/// How many orders of a customer a page looks at.
fn of_customer_max(query: &OrderQuery) -> usize {
    match query.status {
        None => query.limit,
        Some(_) => OF_CUSTOMER_MAX,
    }
}

/// A page of orders, newest first; hidden ones are left out.
pub(super) fn orders(
    connection: &Connection,
    found: Option<Found>,
    query: &OrderQuery,
) -> Result<Page<Order, OrderId>, Error> {
    match found {
        Some(found) => orders_of_customer(connection, query, &found.with_moved(connection)?),
        None => scan(connection, query),
    }
}

fn orders_of_customer(
    connection: &Connection,
    query: &OrderQuery,
    rows: &[i64],
) -> Result<Page<Order, OrderId>, Error> {
    let mut items = Vec::with_capacity(query.limit);
    let mut last = None;
    for (looked_at, order_id) in rows.iter().enumerate() {
        if items.len() == query.limit || looked_at == of_customer_max(query) {
            return Ok(Page { items, next: last });
        }
        let Some(order) = order_in_row(connection, *order_id)? else {
            continue;
        };
        if query.from.is_some_and(|from| order.id < from) {
            return Ok(Page { items, next: None });
        }
        last = Some(order.id);
        let wanted = order.customer_id == query.customer_id
            && query.status.is_none_or(|status| order.status == status)
            && order.hidden_at.is_none();
        if wanted {
            items.push(order);
        }
    }
    Ok(Page { items, next: None })
}

fn order_in_row(connection: &Connection, order_id: i64) -> Result<Option<Order>, Error> {
    let random: Option<i64> = connection
        .prepare_cached("select random from order_rows where order_id = ?1")
        .and_then(|mut select| select.query_row([order_id], |row| row.get(0)).optional())
        .map_err(failed)?;
    random.map_or(Ok(None), |random| {
        order(connection, OrderId::new(uuid(order_id, random)))
    })
}

/// Looks at orders one by one, from the newest on, until the page is full.
fn scan(connection: &Connection, query: &OrderQuery) -> Result<Page<Order, OrderId>, Error> {
    let mut select = connection
        .prepare_cached(
            "select order_id, random, status, version, customer_id, customer_name, currency,
               total_minor, captured_minor, refunded_minor, contract, fulfil, label, metadata,
               created_at, updated_at, hidden_at, newest_sequence, round, step, tries, aim,
               deadline_at, failure, trace, item_id, name, quantity, unit_price_minor
             from order_rows join line_rows using (order_id)
             where order_id < ?1 and order_id >= ?2
             order by order_id desc, line_number",
        )
        .map_err(failed)?;
    let before = query.before.map_or(i64::MAX, |id| halves(id.as_uuid()).0);
    let from = query.from.map_or(0, |id| halves(id.as_uuid()).0);
    let mut rows = select.query(params![before, from]).map_err(failed)?;

    let mut items: Vec<Order> = Vec::with_capacity(query.limit);
    let mut last = None;
    let mut looked_at = 0;
    let mut wanted = false;
    while let Some(row) = rows.next().map_err(failed)? {
        let id = OrderId::new(uuid(get(row, 0)?, get(row, 1)?));
        if last != Some(id) {
            if items.len() == query.limit || looked_at == SCAN_MAX {
                return Ok(Page { items, next: last });
            }
            looked_at += 1;
            last = Some(id);
            wanted = is_wanted(row, query)?;
            if wanted {
                items.push(rows::order(row)?);
            }
        }
        if let Some(order) = items.last_mut().filter(|_| wanted) {
            order.lines.push(line(row, BEHIND_ORDER)?);
        }
    }
    Ok(Page { items, next: None })
}

/// Whether a query asks for the order of a row; told before the rest of the row is read.
fn is_wanted(row: &Row<'_>, query: &OrderQuery) -> Result<bool, Error> {
    let status: i64 = get(row, 2)?;
    let hidden_at: Option<i64> = get(row, 16)?;
    let of_customer = match &query.customer_id {
        Some(id) => {
            row.get_ref(4).map_err(failed)?.as_str_or_null().ok() == Some(Some(id.as_str()))
        }
        None => true,
    };
    let of_status = query
        .status
        .is_none_or(|wanted| status_code(wanted) == status);
    Ok(of_status && of_customer && hidden_at.is_none())
}

/// The events of an order, in their sequence: a chain from the newest back.
pub(super) fn events(connection: &Connection, order_id: OrderId) -> Result<Vec<Event>, Error> {
    let (row, random) = halves(order_id.as_uuid());
    let mut select = connection
        .prepare_cached(
            "with recursive chain (event_id) as (
               select order_id + newest_event from order_rows where order_id = ?1 and random = ?2
               union all
               select previous from event_rows join chain using (event_id)
               where previous is not null
               limit 10000
             )
             select event_id, e.random, sequence, kind, payload,
               coalesce(occurred_at, o.created_at), traceparent
             from chain join event_rows as e using (event_id)
               join order_rows as o on o.order_id = ?1
             order by sequence",
        )
        .map_err(failed)?;
    let mut rows = select.query(params![row, random]).map_err(failed)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        events.push(event(row, order_id)?);
    }
    Ok(events)
}

/// A page of the events of all orders, by their ids.
pub(super) fn events_after(
    connection: &Connection,
    query: EventQuery,
) -> Result<Page<Event, EventId>, Error> {
    let mut select = connection
        .prepare_cached(
            "select event_id, e.random, sequence, kind, payload,
               coalesce(occurred_at, o.created_at), traceparent, o.order_id, o.random
             from event_rows as e join order_rows as o on o.order_id = e.event_id - after_order
             where event_id > ?1 order by event_id limit ?2",
        )
        .map_err(failed)?;
    let after = halves(query.after.as_uuid()).0;
    let mut rows = select.query(params![after, query.limit]).map_err(failed)?;
    let mut items = Vec::with_capacity(query.limit);
    while let Some(row) = rows.next().map_err(failed)? {
        let order_id = OrderId::new(uuid(get(row, 7)?, get(row, 8)?));
        items.push(event(row, order_id)?);
    }
    let is_full = items.len() == query.limit;
    let next = items.last().map(|event| event.id).filter(|_| is_full);
    Ok(Page { items, next })
}

/// The newest of all ids: an order's first event is minted after the order.
pub(super) fn newest_event(connection: &Connection) -> Result<Option<EventId>, Error> {
    connection
        .prepare_cached("select event_id, random from event_rows order by event_id desc limit 1")
        .and_then(|mut select| {
            select
                .query_row([], |row| Ok(EventId::new(uuid(row.get(0)?, row.get(1)?))))
                .optional()
        })
        .map_err(failed)
}

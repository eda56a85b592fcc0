//! From rows of any engine to what is asked for: pages, and lists in the order of a question.

use crate::rows::{self, Columns, boxed, number, optional, parsed};
use crate::{Error, Finding, Page, RecordPage};
use domain::{
    Delivery, DeliveryId, EndpointId, Event, EventId, ItemId, Order, OrderId, Record, Stock,
};
use std::collections::HashMap;

/// The most findings of a page.
pub(crate) const FINDINGS_MAX: u8 = 100;
/// The triggers that a sound schema has.
const TRIGGERS: [&str; 7] = [
    "events_are_never_deleted",
    "events_are_never_updated",
    "ledger_is_never_deleted",
    "ledger_is_never_updated",
    "orders_move_along_the_table",
    "transfers_are_never_deleted",
    "transfers_are_never_updated",
];

/// An order with its lines, which are in the column behind it.
pub(crate) fn whole_order<R: Columns>(row: &R) -> Result<Order, Error> {
    let lines = row
        .text(lines_at::<R>())?
        .ok_or_else(|| rows::corrupt("lines"))?;
    Ok(Order {
        lines: rows::read_lines(lines)?,
        ..rows::order(row)?
    })
}

/// The column behind those of an order: its lines.
pub(crate) const fn lines_at<R: Columns>() -> usize {
    R::ID + rows::ORDER
}

/// Events: id, sequence, kind, payload, `occurred_at`, traceparent, order. A full page has a next.
pub(crate) fn events<R: Columns>(rows: &[R], limit: usize) -> Result<Page<Event, EventId>, Error> {
    let event = |row: &R| rows::event(row, OrderId::new(row.id(R::ID + 5)?));
    let items: Vec<Event> = rows.iter().map(event).collect::<Result<_, _>>()?;
    let next = items.last().map(|event| event.id);
    let next = next.filter(|_| items.len() == limit);
    Ok(Page { items, next })
}

/// Tries to deliver: id, event, its kind, order, number, status, error, duration. A full page has a
/// next.
pub(crate) fn deliveries<R: Columns>(
    rows: &[R],
    endpoint_id: EndpointId,
    limit: usize,
) -> Result<Page<Delivery, DeliveryId>, Error> {
    let delivery = |row: &R| {
        Ok(Delivery {
            id: DeliveryId::new(row.id(0)?),
            endpoint_id,
            event_id: EventId::new(row.id(1)?),
            kind: rows::event_kind(row, 2)?,
            order_id: OrderId::new(row.id(3)?),
            number: number(row, 4, "number")?,
            status: optional(row, 5, "status")?,
            error: boxed(row, 6)?,
            duration_ms: number(row, 7, "duration")?,
        })
    };
    let items: Vec<Delivery> = rows.iter().map(delivery).collect::<Result<_, Error>>()?;
    let next = items.last().map(|last| last.id);
    let next = next.filter(|_| items.len() == limit);
    Ok(Page { items, next })
}

/// The stock of `items`, of rows: item, on hand, reserved.
pub(crate) fn stock<R: Columns>(rows: &[R], items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
    let stock = |row: &R| {
        let item_id = parsed(row, 0, ItemId::parse, "item_id")?;
        let stock = Stock {
            on_hand: number(row, 1, "on_hand")?,
            reserved: number(row, 2, "reserved")?,
        };
        Ok((item_id, stock))
    };
    let found: HashMap<Option<ItemId>, Stock> =
        rows.iter().map(stock).collect::<Result<_, Error>>()?;
    let of = |item_id: &ItemId| found.get(&Some(item_id.clone())).copied();
    Ok(items.iter().map(of).collect())
}

/// So many records, of rows: which one (from 1), version, body.
pub(crate) fn records<R: Columns>(rows: &[R], count: usize) -> Result<Vec<Option<Record>>, Error> {
    let mut records = vec![None; count];
    for row in rows {
        let number: usize = number(row, 0, "number")?;
        if let Some(record) = number.checked_sub(1).and_then(|at| records.get_mut(at)) {
            *record = Some(self::record(row, 1)?);
        }
    }
    Ok(records)
}

/// A page of records: id, version, body. One row more than asked for says that there is a next.
pub(crate) fn list<R: Columns>(rows: &[R], limit: usize) -> Result<RecordPage, Error> {
    let named = |row: &R| Ok((boxed(row, 0)?.unwrap_or_default(), record(row, 1)?));
    let mut items: Vec<(Box<str>, Record)> =
        rows.iter().map(named).collect::<Result<_, Error>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().map(|(id, _)| id.clone()).filter(|_| more);
    Ok(RecordPage { items, next })
}

fn record<R: Columns>(row: &R, first: usize) -> Result<Record, Error> {
    let body = row.bytes(first + 1)?;
    Ok(Record {
        version: number(row, first, "version")?,
        body: body.unwrap_or_default().into(),
    })
}

/// What is wrong with orders: which one, and what. A full page has a next.
pub(crate) fn findings<R: Columns>(rows: &[R]) -> Result<Page<Finding, OrderId>, Error> {
    let finding = |row: &R| {
        Ok(Finding {
            order_id: Some(OrderId::new(row.id(0)?)),
            problem: boxed(row, 1)?.unwrap_or_default().into(),
        })
    };
    let items: Vec<Finding> = rows.iter().map(finding).collect::<Result<_, Error>>()?;
    let next = items
        .last()
        .and_then(|last| last.order_id)
        .filter(|_| items.len() == usize::from(FINDINGS_MAX));
    Ok(Page { items, next })
}

/// What is wrong with stock: item, on hand, reserved, and both by its transfers.
pub(crate) fn stock_findings<R: Columns>(rows: &[R]) -> Result<Page<Finding, OrderId>, Error> {
    let problem = |row: &R| {
        let item_id = boxed(row, 0)?.unwrap_or_default();
        let figure = |column| number::<_, i64>(row, column, "stock");
        Ok(format!(
            "of {item_id} there are {} and {} are held; its transfers say {} and {}",
            figure(1)?,
            figure(2)?,
            figure(3)?,
            figure(4)?
        ))
    };
    let problems: Vec<String> = rows.iter().map(problem).collect::<Result<_, Error>>()?;
    Ok(of_no_order(problems))
}

/// The triggers that are not among the names in the first column.
pub(crate) fn missing_triggers<R: Columns>(rows: &[R]) -> Result<Page<Finding, OrderId>, Error> {
    let name = |row| R::text(row, 0).map(Option::unwrap_or_default);
    let present: Vec<&str> = rows.iter().map(name).collect::<Result<_, Error>>()?;
    let missing = TRIGGERS.iter().filter(|name| !present.contains(name));
    Ok(of_no_order(
        missing.map(|name| format!("the trigger {name} is missing")),
    ))
}

/// Findings that are about no order; all that there are.
pub(crate) fn of_no_order(problems: impl IntoIterator<Item = String>) -> Page<Finding, OrderId> {
    let finding = |problem| Finding {
        order_id: None,
        problem,
    };
    let items = problems.into_iter().map(finding).collect();
    Page { items, next: None }
}

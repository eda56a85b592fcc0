//! Orders that move on, and the events that say so.

use super::rows::{aim_code, event_code, failed, halves, status_code, step_code};
use crate::Error;
use crate::write_sets::in_sequence;
use domain::order::Failure;
use domain::{Event, Order, Timestamp};
use rusqlite::{Connection, Statement, params};

/// Writes only what can change: lines and who the order is for stay as they were placed. Its new
/// events are chained to the one before them, and the order then points at the last.
pub(super) fn order(
    connection: &Connection,
    insert_event: &mut Statement<'_>,
    was: u32,
    order: &Order,
    events: &[&Event],
) -> Result<bool, Error> {
    let Some((first, others)) = events.split_first() else {
        return update(connection, was, order, None);
    };
    // Before anything is written: a guard that fails leaves nothing behind.
    if !in_sequence(events) || !insert_first(connection, was, order, first)? {
        return Ok(false);
    }
    let (order_id, _) = halves(order.id.as_uuid());
    let mut newest = *first;
    for event in others {
        let occurred_at = Some(event.occurred_at.as_millis());
        let previous = Some(halves(newest.id.as_uuid()).0);
        if !self::insert_event(insert_event, event, order_id, occurred_at, previous)? {
            let what = format!("event {} is there already", event.id);
            return Err(Error::Corrupt(what));
        }
        newest = event;
    }
    update(connection, was, order, Some(newest))
}

/// Inserts the first of an order's new events after its newest one; `false` where the version or
/// the sequence is another.
fn insert_first(
    connection: &Connection,
    was: u32,
    order: &Order,
    event: &Event,
) -> Result<bool, Error> {
    let (order_id, order_random) = halves(order.id.as_uuid());
    let (event_id, random) = halves(event.id.as_uuid());
    connection
        .prepare_cached(
            "insert into event_rows (event_id, random, after_order, sequence, kind, payload,
               occurred_at, traceparent, previous)
             select ?1, ?2, ?1 - order_id, ?3, ?4, ?5, ?6, ?7, order_id + newest_event
             from order_rows
             where order_id = ?8 and random = ?9 and version = ?10
               and coalesce(newest_sequence, 1) + 1 = ?3
             on conflict do nothing",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                event_id,
                random,
                event.sequence,
                event_code(event.kind),
                event.payload.as_deref(),
                event.occurred_at.as_millis(),
                event.traceparent.map(|it| it.to_string()),
                order_id,
                order_random,
                was,
            ])
        })
        .map(|rows| rows == 1)
        .map_err(failed)
}

/// Writes what can change of an order; `false` where its version is another. Without a new event it
/// points where it did.
fn update(
    connection: &Connection,
    was: u32,
    order: &Order,
    newest: Option<&Event>,
) -> Result<bool, Error> {
    let (order_id, random) = halves(order.id.as_uuid());
    let newest_event = newest.map(|event| halves(event.id.as_uuid()).0 - order_id);
    let progress = &order.progress;
    connection
        .prepare_cached(
            "update order_rows set version = ?2, status = ?3, captured_minor = ?4,
               refunded_minor = ?5, label = ?6, updated_at = ?7, hidden_at = ?8,
               newest_event = coalesce(?9, newest_event),
               newest_sequence = coalesce(?10, newest_sequence), round = nullif(?11, 1),
               step = ?12, tries = nullif(?13, 0),
               aim = ?14, deadline_at = ?15, failure = ?16
             where order_id = ?1 and random = ?17 and version = ?18",
        )
        .and_then(|mut update| {
            update.execute(params![
                order_id,
                order.version,
                status_code(order.status),
                order.captured_minor.as_minor(),
                order.refunded_minor.as_minor(),
                order.label.as_ref().map(domain::text::Label::as_str),
                order.updated_at.as_millis(),
                order.hidden_at.map(Timestamp::as_millis),
                newest_event,
                newest.map(|event| event.sequence),
                progress.round,
                progress.step.map(step_code),
                progress.tries,
                aim_code(progress.aim),
                progress.deadline_at.map(Timestamp::as_millis),
                order
                    .failure
                    .as_ref()
                    .map(|failure| Failure::to_json(failure).to_string()),
                random,
                was,
            ])
        })
        .map(|rows| rows == 1)
        .map_err(failed)
}

/// Inserts an event; `false` where one with its id is there.
pub(super) fn insert_event(
    insert: &mut Statement<'_>,
    event: &Event,
    order_id: i64,
    occurred_at: Option<i64>,
    previous: Option<i64>,
) -> Result<bool, Error> {
    let (event_id, random) = halves(event.id.as_uuid());
    insert
        .execute(params![
            event_id,
            random,
            event_id - order_id,
            event.sequence,
            event_code(event.kind),
            event.payload.as_deref(),
            occurred_at,
            event.traceparent.map(|it| it.to_string()),
            previous,
        ])
        .map(|rows| rows == 1)
        .map_err(failed)
}

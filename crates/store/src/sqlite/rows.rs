//! Between rows and the domain's values. No SQL runs in here.

use crate::Error;
use domain::id::{first_half, from_halves, second_half};
use domain::idempotency::{Body, Fingerprint, Reply, Scope, Seen};
use domain::order::{Aim, Contract, Failure, Progress, Step};
use domain::text::Label;
use domain::write_set::Consumer;
use domain::{
    Currency, CustomerId, Event, EventId, EventKind, ItemId, Line, Money, Name, Order, OrderId,
    Quantity, Status, Timestamp,
};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, ValueRef};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A value of ours could not be made of what a column holds.
pub(super) fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("a row has no valid {what}"))
}

/// An error of the engine, by what the caller does next.
pub(super) fn failed(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            Error::Corrupt(error.to_string())
        }
        _ if matches!(
            error.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase)
        ) =>
        {
            Error::Corrupt(error.to_string())
        }
        _ => Error::Unavailable(error.into()),
    }
}

/// The two columns of a UUIDv7: its row number and `random`.
pub(super) fn halves(id: Uuid) -> (i64, i64) {
    (first_half(id).cast_signed(), second_half(id).cast_signed())
}

/// The UUIDv7 of two such columns.
pub(super) fn uuid(first: i64, second: i64) -> Uuid {
    from_halves(first.cast_unsigned(), second.cast_unsigned())
}

/// Where client text stands in an index: 47 bits of its SHA-256, so that it takes six bytes of a
/// row. Texts may share it: whoever finds a row compares the text itself.
pub(super) fn hash(parts: &[&[u8]]) -> i64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&digest[..6]);
    i64::from_be_bytes(bytes) & ((1 << 47) - 1)
}

/// Where a key stands in the index of keys.
pub(super) fn scope_hash(scope: &Scope) -> i64 {
    let (principal, key) = (scope.principal.as_str(), scope.key.as_str());
    hash(&[
        principal.as_bytes(),
        &[scope.operation.code()],
        key.as_bytes(),
    ])
}

/// Where a customer stands in the index of customers.
pub(super) fn customer_hash(customer_id: &CustomerId) -> i64 {
    hash(&[customer_id.as_str().as_bytes()])
}

/// The number that stands for a status in a row; the view `orders` has the same table.
pub(super) fn status_code(status: Status) -> i64 {
    match status {
        Status::Created => 0,
        Status::Processing => 1,
        Status::Completed => 2,
        Status::Compensating => 3,
        Status::Failed => 4,
        Status::Cancelled => 5,
        Status::NeedsReview => 6,
        Status::Refunded => 7,
    }
}

/// The number that stands for a step.
pub(super) fn step_code(step: Step) -> i64 {
    match step {
        Step::Reserve => 1,
        Step::Authorise => 2,
        Step::Capture => 3,
        Step::Commit => 4,
        Step::Void => 5,
        Step::Release => 6,
    }
}

/// The number that stands for an event's kind.
pub(super) fn event_code(kind: EventKind) -> i64 {
    match kind {
        EventKind::OrderCreated => 1,
        EventKind::OrderLabelled => 2,
        EventKind::OrderHidden => 3,
        EventKind::OrderProcessing => 4,
        EventKind::StockReserved => 5,
        EventKind::PaymentAuthorised => 6,
        EventKind::PaymentCaptured => 7,
        EventKind::StockCommitted => 8,
        EventKind::OrderCompleted => 9,
        EventKind::TryFailed => 10,
        EventKind::PaymentDeclined => 11,
        EventKind::CancelRequested => 12,
        EventKind::OrderCompensating => 13,
        EventKind::PaymentVoided => 14,
        EventKind::StockReleased => 15,
        EventKind::OrderFailed => 16,
        EventKind::OrderCancelled => 17,
        EventKind::OrderNeedsReview => 18,
        EventKind::OrderRedriven => 19,
        EventKind::OrderDecided => 20,
        EventKind::RefundRequested => 21,
        EventKind::PaymentRefunded => 22,
        EventKind::RefundFailed => 23,
        EventKind::OrderRefunded => 24,
    }
}

/// The number that stands for a consumer.
pub(super) fn consumer_code(consumer: Consumer) -> i64 {
    match consumer {
        Consumer::Fulfil => 1,
        // Far above: the time in its id.
        Consumer::Announce(endpoint_id) => halves(endpoint_id.as_uuid()).0,
    }
}

/// The columns of [`order`] and [`line()`], in their order.
pub(super) mod columns {
    /// How many columns an order has; those of a line follow.
    pub(in crate::sqlite) const ORDER: usize = 24;
    /// How many columns a line has.
    pub(in crate::sqlite) const LINE: usize = 4;
}

/// An order, without its lines, of the first [`columns::ORDER`] columns.
pub(super) fn order(row: &Row<'_>) -> Result<Order, Error> {
    let created_at = time(row, 14)?;
    Ok(Order {
        id: OrderId::new(uuid(get(row, 0)?, get(row, 1)?)),
        status: coded(row, 2, Status::all(), status_code).ok_or_else(|| corrupt("status"))?,
        version: get(row, 3)?,
        customer_id: optional(row, 4, CustomerId::parse, "customer_id")?,
        customer_name: optional(row, 5, Name::parse, "customer_name")?,
        currency: Currency::parse(text(row, 6)?).ok_or_else(|| corrupt("currency"))?,
        total_minor: Money::from_minor(get(row, 7)?),
        captured_minor: Money::from_minor(get(row, 8)?),
        refunded_minor: Money::from_minor(get(row, 9)?),
        contract: Contract(get(row, 10)?),
        fulfil: get(row, 11)?,
        label: optional(row, 12, Label::parse, "label")?,
        metadata: optional(row, 13, |text| Some(Box::from(text)), "metadata")?,
        created_at,
        updated_at: optional_time(row, 15)?.unwrap_or(created_at),
        hidden_at: optional_time(row, 16)?,
        newest_sequence: get::<Option<u32>>(row, 17)?.unwrap_or(1),
        progress: progress(row)?,
        failure: optional(row, 23, Failure::parse, "failure")?,
        lines: Vec::new(),
    })
}

fn progress(row: &Row<'_>) -> Result<Progress, Error> {
    let step: Option<i64> = get(row, 19)?;
    let aim: Option<i64> = get(row, 21)?;
    Ok(Progress {
        round: get::<Option<u32>>(row, 18)?.unwrap_or(1),
        step: match step {
            None => None,
            Some(_) => Some(coded(row, 19, Step::ALL, step_code).ok_or_else(|| corrupt("step"))?),
        },
        tries: get::<Option<u32>>(row, 20)?.unwrap_or(0),
        aim: if aim.is_some() {
            Aim::Cancel
        } else {
            Aim::Complete
        },
        deadline_at: optional_time(row, 22)?,
    })
}

/// A line, of the four columns from `first` on.
pub(super) fn line(row: &Row<'_>, first: usize) -> Result<Line, Error> {
    Ok(Line {
        item_id: optional(row, first, ItemId::parse, "item_id")?,
        name: optional(row, first + 1, Name::parse, "name")?,
        quantity: Quantity::parse(get(row, first + 2)?).ok_or_else(|| corrupt("quantity"))?,
        unit_price_minor: Money::from_minor(get(row, first + 3)?),
    })
}

/// An idempotency record, with its order where there is one: the columns of an order and a line,
/// then scheme, digest, status, renderer, reply, `created_at`. The lines are left to the caller.
pub(super) fn seen(row: &Row<'_>) -> Result<Seen, Error> {
    let first = columns::ORDER + columns::LINE;
    let order_id: Option<i64> = get(row, 0)?;
    let renderer: Option<u8> = get(row, first + 3)?;
    let body = match renderer {
        Some(renderer) => Body::Rendered(renderer),
        None => Body::Stored(get::<Vec<u8>>(row, first + 4)?.into()),
    };
    Ok(Seen {
        fingerprint: Fingerprint {
            scheme: get(row, first)?,
            digest: get(row, first + 1)?,
        },
        reply: Reply {
            status: get(row, first + 2)?,
            body,
        },
        order: order_id.map(|_| order(row)).transpose()?,
        created_at: time(row, first + 5)?,
    })
}

/// An event of `order_id`: event id (two), sequence, kind, payload, `occurred_at`, traceparent.
pub(super) fn event(row: &Row<'_>, order_id: OrderId) -> Result<Event, Error> {
    Ok(Event {
        id: EventId::new(uuid(get(row, 0)?, get(row, 1)?)),
        order_id,
        sequence: get(row, 2)?,
        kind: event_kind(row, 3)?,
        payload: get::<Option<String>>(row, 4)?.map(Into::into),
        occurred_at: time(row, 5)?,
        traceparent: get::<Option<String>>(row, 6)?.map(Into::into),
    })
}

/// What happened, by its number.
pub(super) fn event_kind(row: &Row<'_>, column: usize) -> Result<EventKind, Error> {
    coded(row, column, EventKind::all(), event_code).ok_or_else(|| corrupt("event kind"))
}

/// The value of a column.
pub(super) fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    row.get(column).map_err(failed)
}

/// The text of a column, without a copy.
pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, Error> {
    row.get_ref(column)
        .map_err(failed)?
        .as_str()
        .map_err(|_| corrupt("text"))
}

pub(super) fn optional<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
    what: &str,
) -> Result<Option<T>, Error> {
    match row.get_ref(column).map_err(failed)? {
        ValueRef::Null => Ok(None),
        value => {
            let text = value.as_str().map_err(|_: FromSqlError| corrupt(what))?;
            parse(text).map(Some).ok_or_else(|| corrupt(what))
        }
    }
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    get(row, column).map(Timestamp::from_millis)
}

fn optional_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Error> {
    Ok(get::<Option<i64>>(row, column)?.map(Timestamp::from_millis))
}

fn coded<T: Copy>(
    row: &Row<'_>,
    column: usize,
    all: impl IntoIterator<Item = T>,
    code: impl Fn(T) -> i64,
) -> Option<T> {
    let stored: i64 = row.get(column).ok()?;
    all.into_iter().find(|value| code(*value) == stored)
}

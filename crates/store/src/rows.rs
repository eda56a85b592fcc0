//! Between the columns of any SQL engine and the domain's values. No SQL runs in here.

use crate::{Error, Waiting};
use domain::idempotency::{Body, Fingerprint, Reply, Seen};
use domain::order::{Aim, Contract, Failure, Progress, Step};
use domain::text::Label;
use domain::trace::Trace;
use domain::transfer::{Account, Asset, Subject, TransferKind};
use domain::{
    Currency, CustomerId, Event, EventId, EventKind, ItemId, Line, Money, Name, Order, OrderId,
    Quantity, Status, Timestamp, Transfer,
};
use std::borrow::Cow;
use uuid::Uuid;

/// A row, read column by column from 0 on.
pub(crate) trait Columns {
    /// How many columns an id takes.
    const ID: usize;

    /// The id that begins at a column.
    fn id(&self, column: usize) -> Result<Uuid, Error>;

    /// A whole number or a truth value.
    fn whole(&self, column: usize) -> Result<Option<i64>, Error>;

    /// Text, without a copy.
    fn text(&self, column: usize) -> Result<Option<&str>, Error>;

    /// Bytes, without a copy.
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Error>;
}

/// How many columns [`order`] takes, apart from the id.
pub(crate) const ORDER: usize = 23;
/// How many columns [`line()`] takes.
pub(crate) const LINE: usize = 4;

/// A value of ours could not be made of what a column holds.
pub(crate) fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("a row has no valid {what}"))
}

/// The number that stands for a status; views for people have the same table.
pub(crate) fn status_code(status: Status) -> i64 {
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
pub(crate) fn step_code(step: Step) -> i64 {
    match step {
        Step::Reserve => 1,
        Step::Authorise => 2,
        Step::Capture => 3,
        Step::Commit => 4,
        Step::Void => 5,
        Step::Release => 6,
    }
}

/// The number that stands for what is to become of an order; none for what most are to become.
pub(crate) fn aim_code(aim: Aim) -> Option<i64> {
    (aim == Aim::Cancel).then_some(1)
}

/// The number that stands for an event's kind.
pub(crate) fn event_code(kind: EventKind) -> i64 {
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
        EventKind::OrderNoted => 25,
        EventKind::LetterDiscarded => 26,
    }
}

/// The number that stands for an account.
pub(crate) fn account_code(account: Account) -> i64 {
    match account {
        Account::Customers => 1,
        Account::Sales => 2,
        Account::Stock => 3,
        Account::Supply => 4,
    }
}

/// The number that stands for a kind of transfer, and which pending one it resolves.
pub(crate) fn transfer_code(kind: TransferKind) -> (i64, Option<u32>) {
    match kind {
        TransferKind::Pending => (1, None),
        TransferKind::Posted(pending) => (2, Some(pending)),
        TransferKind::Voided(pending) => (3, Some(pending)),
        TransferKind::Transfer => (4, None),
        TransferKind::Reversal => (5, None),
    }
}

fn transfer_kind(code: i64, pending: Option<u32>) -> Option<TransferKind> {
    Some(match (code, pending) {
        (1, None) => TransferKind::Pending,
        (2, Some(pending)) => TransferKind::Posted(pending),
        (3, Some(pending)) => TransferKind::Voided(pending),
        (4, None) => TransferKind::Transfer,
        (5, None) => TransferKind::Reversal,
        _ => return None,
    })
}

/// An order, without its lines: its id, then [`ORDER`] columns.
pub(crate) fn order<R: Columns>(row: &R) -> Result<Order, Error> {
    let at = |column| R::ID + column;
    let created_at = time(row, at(12))?;
    Ok(Order {
        id: OrderId::new(row.id(0)?),
        status: coded(row, at(0), Status::all(), status_code, "status")?,
        version: number(row, at(1), "version")?,
        customer_id: parsed(row, at(2), CustomerId::parse, "customer_id")?,
        customer_name: parsed(row, at(3), Name::parse, "customer_name")?,
        currency: parsed(row, at(4), Currency::parse, "currency")?
            .ok_or_else(|| corrupt("currency"))?,
        total_minor: money(row, at(5))?,
        captured_minor: money(row, at(6))?,
        refunded_minor: money(row, at(7))?,
        contract: Contract(number(row, at(8), "contract")?),
        fulfil: number::<_, i64>(row, at(9), "fulfil")? != 0,
        label: parsed(row, at(10), Label::parse, "label")?,
        metadata: boxed(row, at(11))?,
        created_at,
        updated_at: optional_time(row, at(13))?.unwrap_or(created_at),
        hidden_at: optional_time(row, at(14))?,
        newest_sequence: optional(row, at(15), "newest_sequence")?.unwrap_or(1),
        progress: progress(row, at(16))?,
        failure: parsed(row, at(21), Failure::parse, "failure")?,
        trace: trace(row, at(22))?,
        lines: Vec::new(),
    })
}

fn progress<R: Columns>(row: &R, first: usize) -> Result<Progress, Error> {
    let step = match row.whole(first + 1)? {
        None => None,
        Some(_) => Some(coded(row, first + 1, Step::ALL, step_code, "step")?),
    };
    Ok(Progress {
        round: optional(row, first, "round")?.unwrap_or(1),
        step,
        tries: optional(row, first + 2, "tries")?.unwrap_or(0),
        aim: if row.whole(first + 3)?.is_some() {
            Aim::Cancel
        } else {
            Aim::Complete
        },
        deadline_at: optional_time(row, first + 4)?,
    })
}

/// A line, of the [`LINE`] columns from `first` on.
pub(crate) fn line<R: Columns>(row: &R, first: usize) -> Result<Line, Error> {
    Ok(Line {
        item_id: parsed(row, first, ItemId::parse, "item_id")?,
        name: parsed(row, first + 1, Name::parse, "name")?,
        quantity: Quantity::parse(number(row, first + 2, "quantity")?)
            .ok_or_else(|| corrupt("quantity"))?,
        unit_price_minor: money(row, first + 3)?,
    })
}

/// An idempotency record: scheme, digest, status, renderer, reply, `created_at` from `first` on.
pub(crate) fn seen<R: Columns>(row: &R, first: usize, order: Option<Order>) -> Result<Seen, Error> {
    let digest = row.bytes(first + 1)?.and_then(|it| it.try_into().ok());
    let body = match optional(row, first + 3, "renderer")? {
        Some(renderer) => Body::Rendered(renderer),
        None => Body::Stored(
            row.bytes(first + 4)?
                .ok_or_else(|| corrupt("reply"))?
                .into(),
        ),
    };
    Ok(Seen {
        fingerprint: Fingerprint {
            scheme: number(row, first, "scheme")?,
            digest: digest.ok_or_else(|| corrupt("digest"))?,
        },
        reply: Reply {
            status: number(row, first + 2, "status")?,
            body,
        },
        order,
        created_at: time(row, first + 5)?,
    })
}

/// An event of `order_id`: its id, sequence, kind, payload, `occurred_at`, traceparent.
pub(crate) fn event<R: Columns>(row: &R, order_id: OrderId) -> Result<Event, Error> {
    let at = |column| R::ID + column;
    Ok(Event {
        id: EventId::new(row.id(0)?),
        order_id,
        sequence: number(row, at(0), "sequence")?,
        kind: event_kind(row, at(1))?,
        payload: boxed(row, at(2))?,
        occurred_at: time(row, at(3))?,
        traceparent: trace(row, at(4))?,
    })
}

/// A place in a trace. One that cannot be read is none: nobody's order waits for it.
fn trace<R: Columns>(row: &R, column: usize) -> Result<Option<Trace>, Error> {
    Ok(row.text(column)?.and_then(Trace::parse))
}

/// What happened, by its number.
pub(crate) fn event_kind<R: Columns>(row: &R, column: usize) -> Result<EventKind, Error> {
    coded(row, column, EventKind::all(), event_code, "event kind")
}

/// A transfer of an order: number, kind, which pending one it resolves, item, debit, credit, amount,
/// reason, `occurred_at`, the order's currency.
pub(crate) fn transfer<R: Columns>(row: &R, order_id: OrderId) -> Result<Transfer, Error> {
    let asset = match parsed(row, 3, ItemId::parse, "item_id")? {
        Some(item_id) => Asset::Item(item_id),
        None => Asset::Money(
            parsed(row, 9, Currency::parse, "currency")?.ok_or_else(|| corrupt("currency"))?,
        ),
    };
    let account = |column| coded(row, column, Account::ALL, account_code, "account");
    let kind = transfer_kind(number(row, 1, "kind")?, optional(row, 2, "pending")?);
    Ok(Transfer {
        subject: Subject::Order(order_id),
        number: number(row, 0, "number")?,
        kind: kind.ok_or_else(|| corrupt("transfer kind"))?,
        asset,
        debit: account(4)?,
        credit: account(5)?,
        amount: number(row, 6, "amount")?,
        reason: boxed(row, 7)?,
        occurred_at: time(row, 8)?,
    })
}

/// A number that has to be there.
pub(crate) fn number<R: Columns, N: TryFrom<i64>>(
    row: &R,
    column: usize,
    what: &str,
) -> Result<N, Error> {
    optional(row, column, what)?.ok_or_else(|| corrupt(what))
}

/// A number.
pub(crate) fn optional<R: Columns, N: TryFrom<i64>>(
    row: &R,
    column: usize,
    what: &str,
) -> Result<Option<N>, Error> {
    let found = row.whole(column)?.map(N::try_from).transpose();
    found.map_err(|_| corrupt(what))
}

/// A value that is kept as text.
pub(crate) fn parsed<R: Columns, T>(
    row: &R,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
    what: &str,
) -> Result<Option<T>, Error> {
    match row.text(column)? {
        None => Ok(None),
        Some(text) => parse(text).map(Some).ok_or_else(|| corrupt(what)),
    }
}

/// Text of nobody's form.
pub(crate) fn boxed<R: Columns>(row: &R, column: usize) -> Result<Option<Box<str>>, Error> {
    Ok(row.text(column)?.map(Box::from))
}

/// What waits: how many wakes, and when the first is due.
pub(crate) fn waiting<R: Columns>(row: &R, first: usize) -> Result<Waiting, Error> {
    Ok(Waiting {
        count: number(row, first, "count")?,
        oldest_due_at: row.whole(first + 1)?.map(Timestamp::from_millis),
    })
}

fn money<R: Columns>(row: &R, column: usize) -> Result<Money, Error> {
    number(row, column, "amount").map(Money::from_minor)
}

fn time<R: Columns>(row: &R, column: usize) -> Result<Timestamp, Error> {
    number(row, column, "time").map(Timestamp::from_millis)
}

fn optional_time<R: Columns>(row: &R, column: usize) -> Result<Option<Timestamp>, Error> {
    Ok(row.whole(column)?.map(Timestamp::from_millis))
}

fn coded<R: Columns, T: Copy>(
    row: &R,
    column: usize,
    all: impl IntoIterator<Item = T>,
    code: impl Fn(T) -> i64,
    what: &str,
) -> Result<T, Error> {
    let stored: i64 = number(row, column, what)?;
    let found = all.into_iter().find(|value| code(*value) == stored);
    found.ok_or_else(|| corrupt(what))
}

/// A line as it is kept where lines are one column: item, name, quantity, unit price.
type KeptLine<'l> = (Option<Cow<'l, str>>, Option<Cow<'l, str>>, u64, i64);

/// The lines of an order as one column holds them: a JSON array of arrays.
pub(crate) fn write_lines(lines: &[Line]) -> String {
    let kept: Vec<KeptLine<'_>> = lines.iter().map(kept_line).collect();
    serde_json::to_string(&kept).expect("text and numbers are JSON")
}

fn kept_line(line: &Line) -> KeptLine<'_> {
    (
        line.item_id.as_ref().map(|item_id| item_id.as_str().into()),
        line.name.as_ref().map(|name| name.as_str().into()),
        line.quantity.get().into(),
        line.unit_price_minor.as_minor(),
    )
}

/// What [`write_lines`] wrote.
pub(crate) fn read_lines(json: &str) -> Result<Vec<Line>, Error> {
    let kept: Vec<KeptLine<'_>> = serde_json::from_str(json).map_err(|_| corrupt("lines"))?;
    let line = |(item_id, name, quantity, price): KeptLine<'_>| {
        Some(Line {
            item_id: match item_id {
                Some(item_id) => Some(ItemId::parse(&item_id)?),
                None => None,
            },
            name: match name {
                Some(name) => Some(Name::parse(&name)?),
                None => None,
            },
            quantity: Quantity::parse(quantity)?,
            unit_price_minor: Money::from_minor(price),
        })
    };
    let lines: Option<Vec<Line>> = kept.into_iter().map(line).collect();
    lines.ok_or_else(|| corrupt("lines"))
}

//! Placing an order: from what a client asks for to all that is written for it.

use crate::idempotency::{Fingerprint, Reply, Retention, Scope};
use crate::order::{Contract, Progress};
use crate::product::Prices;
use crate::trace::Trace;
use crate::write_set::Wake;
use crate::{
    Change, Claim, Currency, CustomerId, Event, EventId, LedgerEntry, Line, Money, Name, Order,
    OrderId, Refusal, Status, Timestamp, WriteSet,
};

/// What a client asks for, read and within bounds: 1 to 40 lines, a customer by id, name or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The wire form it came in.
    pub contract: Contract,
    /// Who it is for, as the client numbers its customers.
    pub customer_id: Option<CustomerId>,
    /// Who it is for, for people.
    pub customer_name: Option<Name>,
    /// The currency of its amounts, where the client names one.
    pub currency: Option<Currency>,
    /// Its lines, not priced yet.
    pub lines: Vec<Line>,
    /// The total that the client counts on.
    pub expected_total_minor: Option<Money>,
    /// Whether it is to be fulfilled, or only recorded.
    pub fulfil: bool,
    /// The client's own notes: the text of one JSON object.
    pub metadata: Option<Box<str>>,
}

/// What placing needs from outside the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The id that the order will have.
    pub order_id: OrderId,
    /// The id that its first event will have.
    pub event_id: EventId,
    /// The time it is.
    pub now: Timestamp,
    /// When fulfilment looks at the order by itself: at once, or later where it is told by a queue.
    pub fulfil_at: Timestamp,
    /// The trace that the request belongs to.
    pub traceparent: Option<Trace>,
}

/// The idempotency key that a request came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// Whose key, for what.
    pub scope: Scope,
    /// What was sent with it.
    pub fingerprint: Fingerprint,
    /// The answer to record.
    pub reply: Reply,
    /// How long the key is remembered.
    pub retention: Retention,
}

/// Decides what is written for `draft`: the order with its lines, at the catalogue's `prices`, and
/// its ledger entry, its first event, the idempotency record, and, where it is to be fulfilled, its wake.
///
/// # Errors
/// [`Refusal::AmountOverflow`], [`Refusal::PriceChanged`], and those of [`Prices::apply`].
pub fn place(
    mut draft: Draft,
    prices: &Prices,
    occasion: Occasion,
    keyed: Option<Keyed>,
) -> Result<WriteSet, Refusal> {
    let currency = prices.apply(&mut draft.lines, draft.currency)?;
    let total_minor = total(&draft.lines)?;
    if let Some(expected) = draft
        .expected_total_minor
        .filter(|total| *total != total_minor)
    {
        return Err(Refusal::PriceChanged {
            expected,
            actual: total_minor,
        });
    }

    let Occasion {
        order_id,
        event_id,
        now,
        fulfil_at,
        traceparent,
    } = occasion;
    let order = Order {
        id: order_id,
        contract: draft.contract,
        status: Status::Created,
        version: 1,
        customer_id: draft.customer_id,
        customer_name: draft.customer_name,
        currency,
        lines: draft.lines,
        total_minor,
        captured_minor: Money::ZERO,
        refunded_minor: Money::ZERO,
        progress: Progress::default(),
        failure: None,
        fulfil: draft.fulfil,
        label: None,
        newest_sequence: 1,
        hidden_at: None,
        metadata: draft.metadata,
        trace: traceparent,
        created_at: now,
        updated_at: now,
    };
    let claim = keyed.map(|keyed| Claim {
        scope: keyed.scope,
        fingerprint: keyed.fingerprint,
        reply: keyed.reply,
        order_id: Some(order_id),
        created_at: now,
        forget_before: keyed.retention.forget_before(now),
    });
    let event = Event::created(&order, event_id, traceparent);
    let wake = order
        .fulfil
        .then(|| Change::Wake(Wake::fulfil(order_id, event.sequence, fulfil_at)));
    let entry = LedgerEntry::of(&order);
    let placed = Change::Place(Box::new(order), entry);

    Ok(WriteSet {
        claim,
        changes: [placed, Change::Event(event)]
            .into_iter()
            .chain(wake)
            .collect(),
    })
}

fn total(lines: &[Line]) -> Result<Money, Refusal> {
    lines
        .iter()
        .try_fold(Money::ZERO, |sum, line| sum.checked_add(line.total()?))
        .ok_or(Refusal::AmountOverflow)
}

#[cfg(test)]
mod tests;

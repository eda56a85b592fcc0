//! What clients of the older systems do to orders that are only recorded: give one a word of
//! their own as its status, and delete one from view.
//!
//! An order under fulfilment goes its own way; neither is possible there.

use crate::place::Occasion;
use crate::text::Label;
use crate::write_set::WriteSet;
use crate::{Change, Event, EventKind, Order, Refusal, Status};

/// Sets the label of `order`. The occasion's `order_id` is not looked at.
///
/// # Errors
/// [`Refusal::UnderFulfilment`].
pub fn label(order: Order, label: Label, occasion: Occasion) -> Result<WriteSet, Refusal> {
    let payload = serde_json::json!({ "label": label.as_str() }).to_string();
    let labelled = Order {
        label: Some(label),
        ..order
    };
    changed(
        labelled,
        EventKind::OrderLabelled,
        Some(payload.into()),
        occasion,
    )
}

/// Takes `order` out of every read; its ledger entry stays.
///
/// # Errors
/// [`Refusal::UnderFulfilment`].
pub fn hide(order: Order, occasion: Occasion) -> Result<WriteSet, Refusal> {
    let hidden = Order {
        hidden_at: Some(occasion.now),
        ..order
    };
    changed(hidden, EventKind::OrderHidden, None, occasion)
}

fn changed(
    order: Order,
    kind: EventKind,
    payload: Option<Box<str>>,
    occasion: Occasion,
) -> Result<WriteSet, Refusal> {
    let ended = matches!(
        order.status,
        Status::Completed | Status::Failed | Status::Cancelled | Status::Refunded
    );
    if order.fulfil && !ended {
        let status = order.status;
        return Err(Refusal::UnderFulfilment { status });
    }
    let was = order.version;
    let order = Order {
        version: was + 1,
        newest_sequence: order.newest_sequence + 1,
        updated_at: occasion.now,
        ..order
    };
    let event = Event {
        id: occasion.event_id,
        order_id: order.id,
        sequence: order.newest_sequence,
        kind,
        payload,
        occurred_at: occasion.now,
        traceparent: occasion.traceparent,
    };
    Ok(WriteSet {
        claim: None,
        changes: vec![
            Change::Order {
                was,
                now: Box::new(order),
            },
            Change::Event(event),
        ],
    })
}

#[cfg(test)]
mod tests;

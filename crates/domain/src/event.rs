//! Facts in the past tense: the journal of an order, and what others are told.

use crate::trace::Trace;
use crate::{EventId, Order, OrderId, Timestamp};

/// Where events come from, as CloudEvents 1.0 has it: `source` and `id` together name one for ever.
pub const SOURCE: &str = "/orderd";

/// One thing that happened to an order, written by the commit that made it true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, for ever; consumers dedupe on it.
    pub id: EventId,
    /// The order it happened to.
    pub order_id: OrderId,
    /// 1 for an order's first event, then counting up without gaps.
    pub sequence: u32,
    /// What happened.
    pub kind: EventKind,
    /// What there is to say beyond the order itself: the text of one JSON object. `None` for
    /// `order.created`, whose content is the order as it was placed.
    pub payload: Option<Box<str>>,
    /// When it became true.
    pub occurred_at: Timestamp,
    /// The trace that it belongs to: that of the request that caused it, or of its order.
    pub traceparent: Option<Trace>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An order was placed.
    OrderCreated,
    /// A client of an older system gave an order a word of its own as its status.
    OrderLabelled,
    /// A client of an older system deleted an order from view.
    OrderHidden,
    /// Fulfilment began.
    OrderProcessing,
    /// What it asks for is held.
    StockReserved,
    /// Its total is held of the customer's money.
    PaymentAuthorised,
    /// Its total was taken.
    PaymentCaptured,
    /// What it asks for was taken out of a stock that is kept outside.
    StockCommitted,
    /// All of it is done.
    OrderCompleted,
    /// A call failed, and may be tried again.
    TryFailed,
    /// The payment service does not want to.
    PaymentDeclined,
    /// A client does not want it any more.
    CancelRequested,
    /// What was begun is being undone.
    OrderCompensating,
    /// The customer's money is let go of.
    PaymentVoided,
    /// What was held is let go of.
    StockReleased,
    /// It could not be had; all undone.
    OrderFailed,
    /// It was cancelled; all undone.
    OrderCancelled,
    /// Nobody but a person can say what happened.
    OrderNeedsReview,
    /// An operator has an order that was given up tried anew.
    OrderRedriven,
    /// An operator decided what becomes of an order that needed review.
    OrderDecided,
    /// Money is to be given back.
    RefundRequested,
    /// Money was given back.
    PaymentRefunded,
    /// Money could not be given back.
    RefundFailed,
    /// All of it was given back.
    OrderRefunded,
    /// An operator wants the next one to know something.
    OrderNoted,
    /// An operator lets an order that was given up be.
    LetterDiscarded,
}

/// Every kind with its CloudEvents `type`, and whether others are told.
const KINDS: [(EventKind, &str, Told); 26] = {
    use EventKind as Kind;
    use Told::{Nobody, Others};
    [
        (Kind::OrderCreated, "order.created.v1", Others),
        (Kind::OrderLabelled, "order.labelled.v1", Nobody),
        (Kind::OrderHidden, "order.hidden.v1", Nobody),
        (Kind::OrderProcessing, "order.processing.v1", Others),
        (Kind::StockReserved, "stock.reserved.v1", Others),
        (Kind::PaymentAuthorised, "payment.authorised.v1", Others),
        (Kind::PaymentCaptured, "payment.captured.v1", Others),
        (Kind::StockCommitted, "stock.committed.v1", Others),
        (Kind::OrderCompleted, "order.completed.v1", Others),
        (Kind::TryFailed, "order.try_failed.v1", Nobody),
        (Kind::PaymentDeclined, "payment.declined.v1", Others),
        (Kind::CancelRequested, "order.cancel_requested.v1", Nobody),
        (Kind::OrderCompensating, "order.compensating.v1", Nobody),
        (Kind::PaymentVoided, "payment.voided.v1", Others),
        (Kind::StockReleased, "stock.released.v1", Others),
        (Kind::OrderFailed, "order.failed.v1", Others),
        (Kind::OrderCancelled, "order.cancelled.v1", Others),
        (Kind::OrderNeedsReview, "order.needs_review.v1", Others),
        (Kind::OrderRedriven, "order.redriven.v1", Nobody),
        (Kind::OrderDecided, "order.decided.v1", Nobody),
        (Kind::RefundRequested, "refund.requested.v1", Nobody),
        (Kind::PaymentRefunded, "payment.refunded.v1", Others),
        (Kind::RefundFailed, "refund.failed.v1", Others),
        (Kind::OrderRefunded, "order.refunded.v1", Others),
        (Kind::OrderNoted, "order.noted.v1", Nobody),
        (Kind::LetterDiscarded, "dead_letter.discarded.v1", Nobody),
    ]
};

/// Who is told of an event, beside the order's own timeline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Others,
    Nobody,
}

impl EventKind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, _, _)| *kind)
    }

    /// Its CloudEvents `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The kind with this `type`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::all().find(|kind| kind.as_str() == word)
    }

    /// Whether others are told, or only the order's own timeline.
    #[must_use]
    pub fn is_public(self) -> bool {
        self.row().2 == Told::Others
    }

    /// What happened, in a sentence for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OrderCreated => "An order was placed.",
            Self::OrderLabelled => {
                "A client of an older system gave an order a word of its own as its status."
            }
            Self::OrderHidden => "A client of an older system deleted an order from view.",
            Self::OrderProcessing => "Fulfilment began.",
            Self::StockReserved => "What it asks for is held.",
            Self::PaymentAuthorised => "Its total is held of the customer's money.",
            Self::PaymentCaptured => "Its total was taken.",
            Self::StockCommitted => {
                "What it asks for was taken out of a stock that is kept outside."
            }
            Self::OrderCompleted => "All of it is done.",
            Self::TryFailed => "A call failed, and may be tried again.",
            Self::PaymentDeclined => "The payment service does not want to.",
            Self::CancelRequested => "A client does not want it any more.",
            Self::OrderCompensating => "What was begun is being undone.",
            Self::PaymentVoided => "The customer's money is let go of.",
            Self::StockReleased => "What was held is let go of.",
            Self::OrderFailed => "It could not be had; all undone.",
            Self::OrderCancelled => "It was cancelled; all undone.",
            Self::OrderNeedsReview => "Nobody but a person can say what happened.",
            Self::OrderRedriven => "An operator has an order that was given up tried anew.",
            Self::OrderDecided => {
                "An operator decided what becomes of an order that needed review."
            }
            Self::RefundRequested => "Money is to be given back.",
            Self::PaymentRefunded => "Money was given back.",
            Self::RefundFailed => "Money could not be given back.",
            Self::OrderRefunded => "All of it was given back.",
            Self::OrderNoted => "An operator wants the next one to know something.",
            Self::LetterDiscarded => "An operator lets an order that was given up be.",
        }
    }

    /// The table is in the order of the kinds; a test holds it to that.
    const fn row(self) -> &'static (Self, &'static str, Told) {
        &KINDS[self as usize]
    }
}

impl Event {
    /// The first event of `order`: it was placed.
    #[must_use]
    pub fn created(order: &Order, id: EventId, traceparent: Option<Trace>) -> Self {
        Self {
            id,
            order_id: order.id,
            sequence: 1,
            kind: EventKind::OrderCreated,
            payload: None,
            occurred_at: order.created_at,
            traceparent,
        }
    }
}

#[cfg(test)]
mod tests;

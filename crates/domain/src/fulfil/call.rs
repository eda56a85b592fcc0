//! What is asked of a payment or inventory service, and what it can answer.

use crate::order::Step;
use crate::trace::Trace;
use crate::{Currency, EventId, ItemId, Money, Name, Order, OrderId, Refund};
use std::fmt;

/// One call. Whoever repeats it uses the same effect id, so that it takes effect once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is asked.
    pub kind: CallKind,
    /// The order that it is about.
    pub order_id: OrderId,
    /// The round of the order.
    pub round: u32,
    /// Which refund it is, where it is one.
    pub refund_id: Option<EventId>,
    /// The amount that it is about.
    pub amount: Money,
    /// The currency of the amount.
    pub currency: Currency,
    /// What the order is about: an item, a name or both, and how many. Empty for a payment.
    pub lines: Vec<(Option<ItemId>, Option<Name>, u32)>,
    /// The trace that it belongs to.
    pub trace: Option<Trace>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Hold the stock of the order.
    Reserve,
    /// Hold its total of the customer's money.
    Authorise,
    /// Take what was authorised.
    Capture,
    /// Was it captured?
    Look,
    /// Take the reserved stock.
    Commit,
    /// Let go of what was authorised; whatever comes later under that id is refused.
    Void,
    /// Let go of the reserved stock; whatever comes later under that id is refused.
    Release,
    /// Give some of what was captured back.
    Refund,
}

impl Call {
    /// The call of this kind for `order` as it stands.
    #[must_use]
    pub fn new(kind: CallKind, order: &Order) -> Self {
        let lines = if kind.is_payment() {
            Vec::new()
        } else {
            let line =
                |line: &crate::Line| (line.item_id.clone(), line.name.clone(), line.quantity.get());
            order.lines.iter().map(line).collect()
        };
        Self {
            kind,
            order_id: order.id,
            round: order.progress.round,
            refund_id: None,
            amount: order.total_minor,
            currency: order.currency,
            lines,
            trace: order.trace,
        }
    }

    /// The call that gives money back.
    #[must_use]
    pub fn refund(order: &Order, refund: &Refund) -> Self {
        Self {
            refund_id: Some(refund.id),
            amount: refund.amount,
            ..Self::new(CallKind::Refund, order)
        }
    }

    /// The name under which this call takes effect once: `{order_id}:{step}:{round}`, or that of
    /// a refund, `{order_id}:refund:{refund_id}`.
    #[must_use]
    pub fn effect_id(&self) -> String {
        match self.refund_id {
            Some(refund_id) => format!("{}:{}:{refund_id}", self.order_id, self.kind),
            None => self.effect_id_of(self.kind),
        }
    }

    /// The effect id of another call for the same order and round.
    #[must_use]
    pub fn effect_id_of(&self, kind: CallKind) -> String {
        format!("{}:{kind}:{}", self.order_id, self.round)
    }
}

impl CallKind {
    /// The call that a step makes.
    #[must_use]
    pub const fn of(step: Step) -> Self {
        match step {
            Step::Reserve => Self::Reserve,
            Step::Authorise => Self::Authorise,
            Step::Capture => Self::Capture,
            Step::Commit => Self::Commit,
            Step::Void => Self::Void,
            Step::Release => Self::Release,
        }
    }

    /// Whether it is about money; the others are about stock.
    #[must_use]
    pub const fn is_payment(self) -> bool {
        match self {
            Self::Authorise | Self::Capture | Self::Look | Self::Void | Self::Refund => true,
            Self::Reserve | Self::Commit | Self::Release => false,
        }
    }

    /// The word for it in effect ids and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Authorise => "authorise",
            Self::Capture => "capture",
            Self::Look => "look",
            Self::Commit => "commit",
            Self::Void => "void",
            Self::Release => "release",
            Self::Refund => "refund",
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It took effect, now or before. To a look: the money was captured.
    Done,
    /// It will never take effect.
    Refused(Refused, Box<str>),
    /// It may have taken effect or not: it is to be tried again, after so many ms where the
    /// provider says so. The text is for people.
    Failed(Box<str>, Option<i64>),
    /// It was not tried: the provider is not to be asked for so many ms.
    NotTried(i64),
    /// To a look: the money was not captured.
    NotCaptured,
    /// To a void: the money was captured before.
    Captured,
}

/// Why something will never take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The payment service does not want to.
    Declined,
    /// There is not enough of an item.
    OutOfStock,
}

//! Refunds: money of a completed order that is given back.
//!
//! A refund is what the events of its order say of it: it was asked for, tried, and came about or
//! was refused. Nothing else is kept.

use crate::order::Failure;
use crate::{Event, EventId, EventKind, Money, Timestamp};
use serde_json::Value;

/// Money that is given back, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its name: that of the event that asked for it.
    pub id: EventId,
    /// How much.
    pub amount: Money,
    /// Why, in the words of whoever asked for it.
    pub reason: Option<Box<str>>,
    /// Whether the goods came back as well.
    pub restock: bool,
    /// What became of it.
    pub state: RefundState,
    /// How many tries failed since it was asked for or brought back.
    pub tries: u32,
    /// What the payment service said last, where it was not that it is done.
    pub detail: Option<Box<str>>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When something last became of it.
    pub updated_at: Timestamp,
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// It is asked for, until the payment service says what became of it.
    Pending,
    /// The money was given back.
    Succeeded,
    /// The payment service does not want to; nothing was given back.
    Failed,
}

impl RefundState {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl Refund {
    /// The refunds that the events of an order tell of, the oldest first.
    #[must_use]
    pub fn told_by(events: &[Event]) -> Vec<Self> {
        let mut refunds = Vec::new();
        for event in events {
            follow(&mut refunds, event);
        }
        refunds
    }

    /// The payload of the event that asks for it; `why` is who asked and for what reason.
    pub(crate) fn asked(amount: Money, restock: bool, mut why: Value) -> Value {
        why["amount_minor"] = amount.as_minor().into();
        why["restock"] = restock.into();
        why
    }

    /// The payload of an event that says what became of it.
    pub(crate) fn became(&self, detail: &str) -> Value {
        let detail: String = detail.chars().take(Failure::DETAIL_MAX).collect();
        serde_json::json!({
            "refund_id": self.id.to_string(),
            "amount_minor": self.amount.as_minor(),
            "detail": (!detail.is_empty()).then_some(detail),
        })
    }
}

/// What one more event makes of an order's refunds.
pub(crate) fn follow(refunds: &mut Vec<Refund>, event: &Event) {
    let payload = || -> Option<Value> { serde_json::from_str(event.payload.as_deref()?).ok() };
    match event.kind {
        EventKind::RefundRequested => {
            let payload = payload().unwrap_or_default();
            refunds.push(Refund {
                id: event.id,
                amount: Money::from_minor(payload["amount_minor"].as_i64().unwrap_or_default()),
                reason: payload["reason"].as_str().map(Into::into),
                restock: payload["restock"].as_bool().unwrap_or_default(),
                state: RefundState::Pending,
                tries: 0,
                detail: None,
                requested_at: event.occurred_at,
                updated_at: event.occurred_at,
            });
        }
        EventKind::PaymentRefunded | EventKind::RefundFailed | EventKind::TryFailed => {
            let Some(payload) = payload() else { return };
            let id = payload["refund_id"].as_str().and_then(EventId::parse);
            let Some(refund) = refunds.iter_mut().find(|refund| Some(refund.id) == id) else {
                return;
            };
            match event.kind {
                EventKind::PaymentRefunded => refund.state = RefundState::Succeeded,
                EventKind::RefundFailed => refund.state = RefundState::Failed,
                _ => refund.tries += 1,
            }
            refund.detail = payload["detail"].as_str().map(Into::into);
            refund.updated_at = event.occurred_at;
        }
        EventKind::OrderRedriven => {
            let pending = |refund: &&mut Refund| refund.state == RefundState::Pending;
            refunds
                .iter_mut()
                .filter(pending)
                .for_each(|refund| refund.tries = 0);
        }
        _ => {}
    }
}

/// How much `refunds` gave back and are still to give back, in minor units.
#[must_use]
pub fn claimed(refunds: &[Refund]) -> i64 {
    let claims = |refund: &&Refund| refund.state != RefundState::Failed;
    refunds
        .iter()
        .filter(claims)
        .map(|refund| refund.amount.as_minor())
        .sum()
}

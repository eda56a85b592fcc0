//! Facts in the past tense: the journal of an order, and what others are told.

use crate::{EventId, Order, OrderId, Timestamp};

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
    /// The W3C `traceparent` of the request that caused it.
    pub traceparent: Option<Box<str>>,
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
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::OrderCreated, Self::OrderLabelled, Self::OrderHidden];

    /// Its CloudEvents `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created.v1",
            Self::OrderLabelled => "order.labelled.v1",
            Self::OrderHidden => "order.hidden.v1",
        }
    }

    /// The kind with this `type`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether others are told, or only the order's own timeline.
    #[must_use]
    pub const fn is_public(self) -> bool {
        match self {
            Self::OrderCreated => true,
            Self::OrderLabelled | Self::OrderHidden => false,
        }
    }
}

impl Event {
    /// The first event of `order`: it was placed.
    #[must_use]
    pub fn created(order: &Order, id: EventId, traceparent: Option<Box<str>>) -> Self {
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

//! What a store has to know of a write set before it writes it, and of what was written.

use domain::idempotency::Seen;
use domain::{Change, Endpoint, EndpointId, Event, Order, OrderId, Timestamp, WriteSet};
use std::collections::BTreeMap;

/// The events of a write set that an order moves on by.
pub(crate) fn events_of<'w>(write_set: &'w WriteSet, order: &Order) -> Vec<&'w Event> {
    let of_order = |change: &'w Change| match change {
        Change::Event(event) if event.order_id == order.id && event.sequence > 1 => Some(event),
        _ => None,
    };
    write_set.changes.iter().filter_map(of_order).collect()
}

/// Whether the events follow each other.
pub(crate) fn in_sequence(events: &[&Event]) -> bool {
    let mut pairs = events.windows(2);
    pairs.all(|pair| pair[0].sequence + 1 == pair[1].sequence)
}

/// Whether the write set moves the order of an event.
pub(crate) fn moves(write_set: &WriteSet, event: &Event) -> bool {
    let moves =
        |change: &Change| matches!(change, Change::Order { now, .. } if now.id == event.order_id);
    write_set.changes.iter().any(moves)
}

/// What the claim of a write set that is not committed yet will be remembered as.
pub(crate) fn seen_of(write_set: &WriteSet) -> Option<Seen> {
    let claim = write_set.claim.as_ref()?;
    Some(Seen {
        fingerprint: claim.fingerprint,
        reply: claim.reply.clone(),
        order: write_set.placed().cloned(),
        created_at: claim.created_at,
    })
}

/// Whom committed changes concern.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Some order is there that was not.
    pub(crate) placed: bool,
    /// The orders that are others now.
    pub(crate) moved: Vec<OrderId>,
    /// Some record is another.
    pub(crate) records: bool,
    /// A consumer may have something to do.
    pub(crate) wakes: bool,
}

impl Effects {
    /// Of these changes; `announced`: an event wakes somebody.
    pub(crate) fn of<'c>(changes: impl Iterator<Item = &'c Change>, announced: bool) -> Self {
        let mut effects = Self::default();
        for change in changes {
            match change {
                Change::Place(..) => effects.placed = true,
                Change::Order { now, .. } => effects.moved.push(now.id),
                Change::Record { .. } => effects.records = true,
                Change::Wake(_) => effects.wakes = true,
                Change::Event(_) => effects.wakes |= announced,
                Change::Transfer(_)
                | Change::Stock(_)
                | Change::Settle(_)
                | Change::Delay { .. }
                | Change::Delivered(_)
                | Change::Forget(_) => {}
            }
        }
        effects
    }

    /// Whether an answer that was kept may be another now.
    pub(crate) fn outdates(&self) -> bool {
        self.placed || !self.moved.is_empty()
    }
}

/// The most endpoints that are looked at.
pub(crate) const ENDPOINTS_MAX: i64 = 1_000;
/// The most tries that are kept of an endpoint, give or take a hundred.
pub(crate) const DELIVERIES_MAX: i64 = 1_000;

/// An endpoint that is told of some kinds of events.
pub(crate) struct Subscriber {
    /// Which one.
    pub(crate) id: EndpointId,
    /// What it wants.
    pub(crate) endpoint: Endpoint,
}

impl Subscriber {
    /// Of a record; `None` where it is told of nothing, or cannot be read: that keeps nobody from
    /// placing orders.
    pub(crate) fn read(id: &str, body: &[u8]) -> Option<Self> {
        let (id, endpoint) = (EndpointId::parse(id)?, Endpoint::read(body)?);
        endpoint.disabled.is_none().then_some(Self { id, endpoint })
    }
}

/// Which endpoint is told of which order.
pub(crate) type Whom = (EndpointId, OrderId);

/// The events of an order that an endpoint is to be told of. One that is under way there or waits
/// for its next try goes on as it would.
pub(crate) struct Told {
    /// From which event on.
    pub(crate) since: u32,
    /// Up to which.
    pub(crate) head: u32,
    /// Not before this time.
    pub(crate) due_at: Timestamp,
}

/// Adds who is told of an event.
pub(crate) fn tell(told: &mut BTreeMap<Whom, Told>, event: &Event, subscribers: &[Subscriber]) {
    let wants = |subscriber: &&Subscriber| subscriber.endpoint.wants(event.kind);
    for subscriber in subscribers.iter().filter(wants) {
        let first = Told {
            since: event.sequence,
            head: event.sequence,
            due_at: event.occurred_at,
        };
        told.entry((subscriber.id, event.order_id))
            .and_modify(|it| it.head = it.head.max(event.sequence))
            .or_insert(first);
    }
}

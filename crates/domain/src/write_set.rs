//! A write set: all that one decision writes, at once or not at all.
//!
//! A store applies it whole or names the first change whose guard failed. At most [`ROWS_MAX`]
//! rows, each touched once, so that every backend takes it in one transaction.

use crate::idempotency::{Fingerprint, Reply, Scope};
use crate::stock::Movement;
use crate::{Delivery, EndpointId, Event, LedgerEntry, Order, OrderId, Timestamp, Transfer};

/// The most rows of one write set; DynamoDB takes no more in one transaction.
pub const ROWS_MAX: usize = 100;

/// All that one decision writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// The idempotency key that must be free, and what it then stands for.
    pub claim: Option<Claim>,
    /// What changes, in order.
    pub changes: Vec<Change>,
}

impl WriteSet {
    /// The order that it places, if it places one.
    #[must_use]
    pub fn placed(&self) -> Option<&Order> {
        self.changes.iter().find_map(|change| match change {
            Change::Place(order, _) => Some(&**order),
            _ => None,
        })
    }
}

/// Takes an idempotency key. Its guard: no record of the scope since `forget_before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key, for what.
    pub scope: Scope,
    /// What the client sent.
    pub fingerprint: Fingerprint,
    /// What it is answered, now and whenever it asks again.
    pub reply: Reply,
    /// The order that the answer is about.
    pub order_id: Option<OrderId>,
    /// When the key was taken.
    pub created_at: Timestamp,
    /// Records from before this time are forgotten and guard nothing.
    pub forget_before: Timestamp,
}

/// One change, with the guard under which it may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new order with its lines and its ledger entry. Guard: no order has its id.
    Place(Box<Order>, LedgerEntry),
    /// An order moves on, by the events of the same write set; its lines and who it is for stay.
    /// Guard: its version is `was`, and the events are its next.
    Order {
        /// The version that must be there.
        was: u32,
        /// The order from now on.
        now: Box<Order>,
    },
    /// A new event of an order that the same write set places or moves on.
    Event(Event),
    /// A new transfer. Guard: its number is the subject's next, and what it resolves is pending.
    Transfer(Transfer),
    /// Stock that moves. Guard: that of the movement.
    Stock(Movement),
    /// Work for a consumer, or more of it. No guard.
    Wake(Wake),
    /// What was leased is done. Guard: the lease is still ours, and there is nothing more to do.
    Settle(Lease),
    /// What was leased is ours until then, or to be leased again then. Guard: it is still ours.
    Delay {
        /// What was leased.
        lease: Lease,
        /// Not before this time.
        due_at: Timestamp,
        /// Whose it is meanwhile.
        how: Delayed,
    },
    /// One more try to deliver an event to an endpoint, for its log. No guard.
    Delivered(Delivery),
    /// An endpoint is gone: nobody is woken for it any more, and its log goes as well. No guard.
    Forget(EndpointId),
    /// A record made, changed or (without a body) removed. Guard: its version is `was`.
    Record {
        /// The record.
        id: RecordId,
        /// The version that must be there; 0 for "none is there".
        was: u32,
        /// What it holds from now on.
        body: Option<Box<[u8]>>,
    },
}

/// Consumer X has something to do on subject Y: an entry of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Who.
    pub consumer: Consumer,
    /// On which order.
    pub subject: OrderId,
    /// From which event of the order on; fulfilment looks at the order itself.
    pub since: u32,
    /// Up to which event of the order.
    pub head: u32,
    /// Not before this time.
    pub due_at: Timestamp,
}

impl Wake {
    /// Has fulfilment go on with an order, as it is after the write set, from `due_at` on.
    #[must_use]
    pub const fn fulfil(subject: OrderId, head: u32, due_at: Timestamp) -> Self {
        Self {
            consumer: Consumer::Fulfil,
            subject,
            since: 1,
            head,
            due_at,
        }
    }
}

/// A wake that is ours until its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// For whom it was leased.
    pub consumer: Consumer,
    /// The order that there is something to do on.
    pub subject: OrderId,
    /// From which event of the order on.
    pub since: u32,
    /// Up to which event of the order.
    pub head: u32,
    /// How often the event `since` was tried in vain.
    pub tries: u32,
    /// How often the wake was leased: the fence.
    pub attempt: u32,
    /// How often it was leased since whoever had it last wrote something; 0 once it was given back.
    pub received: u32,
}

/// Whose a lease is that is delayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delayed {
    /// Still ours; all else stays as it is kept.
    Kept,
    /// Still ours, and something was written: it came once. `since` and `tries` become the lease's.
    GoneOn,
    /// Nobody's: it comes for the first time then. `since` and `tries` become the lease's. Why not
    /// now; `None` where whoever asks for it by name may have it sooner.
    GivenBack(Option<Box<str>>),
}

impl Delayed {
    /// How often it was received, from now on; `None`: all but when it is due stays as it is kept.
    #[must_use]
    pub const fn received(&self) -> Option<u32> {
        match self {
            Self::Kept => None,
            Self::GoneOn => Some(1),
            Self::GivenBack(_) => Some(0),
        }
    }

    /// Why it waits.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Kept | Self::GoneOn => None,
            Self::GivenBack(error) => error.as_deref(),
        }
    }
}

/// Who works on what was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consumer {
    /// Drives one order to its end.
    Fulfil,
    /// Tells an endpoint of events. A store wakes it for every public event of an order that it
    /// wants, in the commit that writes the event.
    Announce(EndpointId),
}

impl Consumer {
    /// The word for it in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fulfil => "fulfil",
            Self::Announce(_) => "announce",
        }
    }
}

/// Names a record: small things that are read and written whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordId {
    /// What sort of thing.
    pub kind: RecordKind,
    /// Which one, within its kind.
    pub id: Box<str>,
}

/// What sort of thing a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A secret of this installation, such as the one that signs cursors.
    Secret,
    /// A product of the catalogue; its id is the product's.
    Product,
    /// An access token; its id is the SHA-256 of the token in hex.
    Token,
    /// A dead letter; its id is the order's, and the version at which it was given up.
    Letter,
    /// A webhook endpoint; its id is the endpoint's.
    Endpoint,
    /// Who changed the stock of an item, and why; its id is the item's.
    StockLog,
}

impl RecordKind {
    /// The word for it in SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Product => "product",
            Self::Token => "token",
            Self::Letter => "letter",
            Self::Endpoint => "endpoint",
            Self::StockLog => "stock_log",
        }
    }
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// 1 when made, 1 more with every change.
    pub version: u32,
    /// What it holds.
    pub body: Box<[u8]>,
}

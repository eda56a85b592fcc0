//! Where the state of orderd is kept.
//!
//! One trait, [`Store`]; a backend is a folder beside this file, one arm of the `match` in
//! [`open`](mod@open) and one `contract!` line in the tests. All writing is one method: a store
//! applies a [`WriteSet`] whole, or names the first change whose guard failed. A store decides
//! nothing.

mod afterwards;
#[cfg(feature = "aws")]
pub mod aws;
pub mod cache;
#[cfg(feature = "aws")]
mod dynamodb;
mod error;
pub mod faulty;
pub mod foreign;
mod mutant;
mod mysql;
pub mod open;
mod others;
mod postgres;
mod rows;
mod schema;
mod server;
mod sqlite;
mod write_sets;

pub use error::Error;
pub use open::{OpenError, open};

use async_trait::async_trait;
use domain::idempotency::{Scope, Seen};
use domain::{
    Consumer, CustomerId, Delivery, DeliveryId, EndpointId, Event, EventId, ItemId, Lease, Order,
    OrderId, Record, RecordId, RecordKind, Status, Stock, Timestamp, Transfer, WriteSet,
};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// A place where orders are kept. Every backend keeps the same promises; the contract suite in
/// `tests/it` says which.
#[async_trait]
pub trait Store: Send + Sync {
    /// Applies all of `write_set` durably, or nothing of it.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: nothing was written. [`Error::Unknown`]: look the key up.
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error>;

    /// What is remembered under a key.
    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error>;

    /// The order with this id, as of now.
    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error>;

    /// A page of orders, newest first.
    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error>;

    /// The events of an order, in their sequence.
    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error>;

    /// A page of the events of all orders, by their ids.
    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error>;

    /// What is committed from now on, by this process or another, in the order of the commits.
    /// Whoever lags behind is told so and has to read what was missed. What another process
    /// commits is told within a second, if that is not busy.
    async fn live(&self) -> Result<broadcast::Receiver<Live>, Error>;

    /// A page of the log of an endpoint, the newest try first.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error>;

    /// Makes wakes of a consumer its own until `until`: those that are due at `now`, the longest due
    /// first, or that of one order.
    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error>;

    /// Moves whenever a consumer may have something new to do. A lost signal loses nothing: what is
    /// due is found by [`Store::lease`].
    fn signal(&self) -> watch::Receiver<u64>;

    /// The transfers of an order, in the order of their numbers.
    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error>;

    /// The stock of these items, in the same order; `None` where it is not counted.
    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error>;

    /// The records with these ids, in the same order.
    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error>;

    /// A page of records of one kind, by their ids, byte for byte.
    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error>;

    /// A page of the dead letters that wait for an operator, by their ids, byte for byte.
    async fn waiting_letters(&self, query: LetterQuery) -> Result<RecordPage, Error>;

    /// A page of what violates `check`, from `after` on.
    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error>;

    /// Figures about what is kept, cheap enough to ask for every second.
    ///
    /// # Errors
    /// [`Error::Corrupt`]: nothing can be written ever again; whoever owns the store must end.
    async fn stats(&self) -> Result<Stats, Error>;

    /// Removes all that belongs to orders; the number of orders removed.
    async fn reset(&self) -> Result<u64, Error>;

    /// Finishes what was begun and lets go of the storage. Idempotent; nothing works afterwards.
    async fn close(&self) -> Result<(), Error>;
}

/// What became of a write set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// All of it is durable.
    Done,
    /// Nothing was written: its key was taken before, for this.
    Seen(Box<Seen>),
    /// Nothing was written: the guard of the change with this number (from 0) failed.
    Refused(usize),
}

/// The most groups that whoever listens to [`Store::live`] may lag behind.
const LIVE_MAX: usize = 256;

/// What was just committed.
#[derive(Clone, Debug)]
pub enum Live {
    /// These, together, by this process.
    Group(Arc<[Arc<WriteSet>]>),
    /// What belongs to these events, by another.
    Events(Arc<[Event]>),
    /// It is not known what; it has to be read.
    Gap,
}

/// Which events to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Only those after this one.
    pub after: EventId,
    /// The most events of a page, at least 1.
    pub limit: usize,
}

/// Which tries to deliver events to an endpoint to list, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// To whom.
    pub endpoint_id: EndpointId,
    /// Only those that came through.
    pub succeeded: bool,
    /// Only earlier ones than this.
    pub before: Option<DeliveryId>,
    /// The most of a page, at least 1.
    pub limit: usize,
}

/// Which wakes to lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseClaim {
    /// For whom.
    pub consumer: Consumer,
    /// Which of its wakes.
    pub which: Which,
    /// The time it is.
    pub now: Timestamp,
    /// Until when they are its own.
    pub until: Timestamp,
}

/// Which wakes of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// At most so many of those that are due, at least 1.
    Due(usize),
    /// As many of them, by who only passes them on and does not know what becomes of them: that they
    /// were received in vain is for whoever works on them to count.
    DueToPassOn(usize),
    /// That of this order, whoever has it and whenever it is due, unless it was given back and waits
    /// for its next try.
    Of(OrderId),
}

/// What was leased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// The wakes, the longest due first.
    pub entries: Vec<Lease>,
    /// When the next one is due that was not leased; `None` where there is none.
    pub next_due: Option<Timestamp>,
}

/// Which orders to list: newest first, by the time in their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only those of this customer.
    pub customer_id: Option<CustomerId>,
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only this one and later ones.
    pub from: Option<OrderId>,
    /// Only earlier ones than this.
    pub before: Option<OrderId>,
    /// The most orders of a page, at least 1.
    pub limit: usize,
}

/// Which records to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordQuery {
    /// Those of this kind.
    pub kind: RecordKind,
    /// Only those after this id.
    pub after: Option<Box<str>>,
    /// The most records of a page, at least 1.
    pub limit: usize,
}

/// Which of the dead letters that wait to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterQuery {
    /// Only those after this id.
    pub after: Option<Box<str>>,
    /// The most letters of a page, at least 1.
    pub limit: usize,
}

/// Part of a list. A page may hold fewer items than asked for, even none, and still have a next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, Position> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Position>,
}

/// Part of a list of records, each with its id.
pub type RecordPage = Page<(Box<str>, Record), Box<str>>;

/// A promise that can be checked on the rows themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// I1: no two records of one key; a placing record stands for one order, and no other does.
    OneOrderPerKey,
    /// I2b: an order has its lines, its ledger entry, its first event and, where it is under
    /// fulfilment, its wake; and none of these stands alone.
    AllOrNothing,
    /// I3b: one ledger entry an order, with the sum of its quantities and its total.
    LedgerAgrees,
    /// I3: what an order's transfers say was taken and given back is what the order says; each
    /// pending one is resolved once, and all of them once the order has ended.
    TransfersAgree,
    /// I7: of every item as much is there and held as its transfers say, and never less than nothing.
    StockAgrees,
    /// I5b: what is under way has a step and a deadline, and what failed is among the dead letters.
    NothingStuck,
    /// The rules that keep ledger, events and transfers append-only are in place, and those that
    /// keep orders to the table of their moves.
    AppendOnly,
    /// The storage itself is sound, as far as its engine can tell.
    Sound,
}

impl Check {
    /// Every check, the cheap ones first.
    pub const ALL: [Self; 8] = [
        Self::AppendOnly,
        Self::OneOrderPerKey,
        Self::AllOrNothing,
        Self::LedgerAgrees,
        Self::TransfersAgree,
        Self::StockAgrees,
        Self::NothingStuck,
        Self::Sound,
    ];

    /// The word for it in output and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneOrderPerKey => "one_order_per_key",
            Self::AllOrNothing => "all_or_nothing",
            Self::LedgerAgrees => "ledger_agrees",
            Self::TransfersAgree => "transfers_agree",
            Self::StockAgrees => "stock_agrees",
            Self::NothingStuck => "nothing_stuck",
            Self::AppendOnly => "append_only",
            Self::Sound => "sound",
        }
    }
}

/// Something that violates a check, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The order it is about, where it is about one.
    pub order_id: Option<OrderId>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.order_id {
            Some(id) => write!(f, "order {id}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

/// Figures about what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Where it is kept, for people.
    pub location: String,
    /// The version of the schema.
    pub schema_version: u32,
    /// The newest event, which is the newest of all ids: others must be minted after it.
    pub newest_event: Option<EventId>,
    /// The orders that wait to be worked on.
    pub fulfil: Waiting,
    /// The orders that webhooks and topics wait to be told of.
    pub announce: Waiting,
    /// How many dead letters wait for an operator, up to [`LETTERS_MAX`].
    pub dead_letter_count: u64,
    /// Bytes on disk, logs included.
    pub size_bytes: u64,
}

impl Stats {
    /// How many wakes nobody settled yet, whomever they are for.
    #[must_use]
    pub const fn waiting_count(&self) -> u64 {
        self.fulfil.count + self.announce.count
    }

    /// When the first of all wakes is due that somebody works on.
    #[must_use]
    pub fn oldest_due_at(&self) -> Option<Timestamp> {
        let due = [self.fulfil.oldest_due_at, self.announce.oldest_due_at];
        due.into_iter().flatten().min()
    }
}

/// The most wakes of a kind that are counted; more are shown as so many.
pub const WAITING_MAX: u32 = 100_000;
/// The most dead letters that are counted; more are shown as so many.
pub const LETTERS_MAX: u32 = 10_000;

/// The wakes of one kind that nobody settled yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many, up to [`WAITING_MAX`].
    pub count: u64,
    /// When the first of them is due, or was, where that is past and nobody took it; those of
    /// endpoints that are disabled are left out, since nobody works on them.
    pub oldest_due_at: Option<Timestamp>,
}

impl Waiting {
    /// How long the oldest has been due at `now`, in ms; 0 where nothing is.
    #[must_use]
    pub fn age_ms(&self, now: Timestamp) -> i64 {
        let since = self.oldest_due_at.map_or(now, |due| due.min(now));
        now.as_millis() - since.as_millis()
    }
}

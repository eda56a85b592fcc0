//! What the database servers have in common. Write sets that wait are committed in groups
//! ([`writer`]), a statement for all rows of a kind ([`rows`]); the statements are the engine's.
//! Nothing of the database is kept in memory, since another process may have changed it.

mod group;
mod lookups;
mod others;
mod rows;
mod writer;

pub(crate) use lookups::Lookups;
pub(crate) use rows::{At, Rows, missing, unless_all};
pub(crate) use writer::Writer;

use crate::cache::Cache;
use crate::{Error, EventQuery, LIVE_MAX, Live, Page};
use async_trait::async_trait;
use domain::idempotency::{Scope, Seen};
use domain::{Change, Claim, Event, EventId, Order, OrderId, Record, RecordId};
use others::Known;
use sqlx::{Database, Pool};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, broadcast, oneshot, watch};
use tokio_util::task::TaskTracker;

/// The most connections of one process.
pub(crate) const CONNECTIONS_MAX: u32 = 16;
/// How long anybody waits for a connection before he is told to come again.
pub(crate) const ACQUIRE_MAX: Duration = Duration::from_secs(2);
/// A connection that nobody used for longer is asked whether it is still there.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(1);

/// The statements of an engine that the common part runs. It calls them one after another in a
/// transaction that reads what is committed.
#[async_trait]
pub(crate) trait Engine: Database {
    /// Takes the keys of claims, each another one; the numbers of those whose key is taken. A
    /// transaction that has just taken one is waited for.
    async fn take(to: &mut Self::Connection, claims: &[&Claim]) -> Result<Vec<usize>, Failure>;

    /// What is remembered under a key.
    async fn seen(from: &mut Self::Connection, scope: &Scope) -> Result<Option<Seen>, Failure>;

    /// The ids and bodies of every endpoint.
    async fn endpoints(from: &mut Self::Connection) -> Result<Vec<(Box<str>, Box<[u8]>)>, Failure>;

    /// Writes rows that touch no row twice; whose guards failed.
    async fn write(to: &mut Self::Connection, rows: &Rows<'_>) -> Result<BTreeSet<At>, Failure>;

    /// Makes one of the changes that are rare; `false` where its guard fails.
    async fn make(to: &mut Self::Connection, change: &Change) -> Result<bool, Failure>;

    /// Whether a statement only came at the wrong moment: the same may do better once more.
    fn is_conflict(error: &sqlx::Error) -> bool;

    /// The order with this id.
    async fn order(pool: &Pool<Self>, id: OrderId) -> Result<Option<Order>, Error>;

    /// The newest of all events.
    async fn newest_event(pool: &Pool<Self>) -> Result<Option<EventId>, Error>;

    /// A page of the events of all orders, by their ids.
    async fn events_after(
        pool: &Pool<Self>,
        query: EventQuery,
    ) -> Result<Page<Event, EventId>, Error>;

    /// The records with these ids, in the same order.
    async fn records(pool: &Pool<Self>, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error>;
}

/// A database, and who is told of what is committed there.
pub(crate) struct Inner<E: Engine> {
    pub(crate) pool: Pool<E>,
    pub(crate) tasks: TaskTracker,
    cache: Arc<Cache>,
    /// Counts commits after which a consumer may have something to do.
    pub(crate) signal: watch::Sender<u64>,
    /// Tells whoever listens what was committed.
    live: broadcast::Sender<Live>,
    known: Known,
    /// Whether somebody looks for what other processes commit.
    looks: Mutex<bool>,
}

impl<E: Engine> Inner<E> {
    pub(crate) fn new(pool: Pool<E>, cache: Arc<Cache>) -> Arc<Self> {
        Arc::new(Self {
            pool,
            tasks: TaskTracker::new(),
            cache,
            signal: watch::Sender::new(0),
            live: broadcast::Sender::new(LIVE_MAX),
            known: Known::default(),
            looks: Mutex::new(false),
        })
    }

    /// After everything was removed: no answer that was kept is true any more.
    pub(crate) async fn outdate_all(&self) {
        let (outdated, done) = oneshot::channel();
        self.cache
            .outdate_all(move || outdated.send(()).unwrap_or_default());
        drop(done.await);
        drop(self.live.send(Live::Gap));
    }
}

/// Why nothing was written.
pub(crate) enum Failure {
    /// The engine refuses a statement; another try may do better.
    Statement(sqlx::Error),
    /// The engine is not there, or has lost its mind.
    Final(Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if error.as_database_error().is_some() {
            Self::Statement(error)
        } else {
            Self::Final(failed(error))
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Statement(error) => failed(error),
            Failure::Final(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// An error of the engine, where nothing is known to be written.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            Error::Corrupt(error.to_string())
        }
        error => Error::Unavailable(error.into()),
    }
}

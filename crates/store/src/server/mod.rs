//! What the database servers have in common. Write sets that wait are committed in groups
//! ([`writer`]), a statement for all rows of a kind ([`rows`]); the statements are the engine's.
//! Nothing of the database is kept in memory, since another process may have changed it.

mod group;
mod lookups;
pub(crate) mod opening;
pub(crate) mod pages;
mod rows;
mod writer;

pub(crate) use rows::{At, Rows, is_duplicate, missing, unless_there};

use crate::afterwards::{Afterwards, Journal};
use crate::cache::Cache;
use crate::write_sets::{ENDPOINTS_MAX, Subscriber};
use crate::{
    Check, Committed, DeliveryQuery, Error, EventQuery, Finding, LeaseClaim, Leased, LetterQuery,
    Live, OrderQuery, Page, RecordPage, RecordQuery, Stats, Store,
};
use async_trait::async_trait;
use domain::idempotency::{Scope, Seen};
use domain::{
    Change, Claim, Delivery, DeliveryId, EndpointId, Event, EventId, ItemId, Order, OrderId,
    Record, RecordId, RecordKind, Stock, Transfer, WriteSet,
};
use lookups::Lookups;
use sqlx::{Database, Pool};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use tokio::sync::{broadcast, watch};
use writer::Writer;

/// The statements of an engine that the common part runs. It calls them one after another in a
/// transaction that reads what is committed.
#[async_trait]
pub(crate) trait Engine: Database {
    /// Takes the keys of claims that nobody has used; a row that is there already is an error.
    async fn take_new(to: &mut Self::Connection, claims: &[&Claim]) -> Result<(), Failure>;

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

    /// Whether a statement only came at the wrong moment: the same may do better once more. So may
    /// what would add a row that is there only since it was looked for, of every engine.
    fn is_conflict(error: &sqlx::Error) -> bool;

    /// The order with this id.
    async fn order(pool: &Pool<Self>, id: OrderId) -> Result<Option<Order>, Error>;

    /// A page of orders, newest first; hidden ones are left out.
    async fn orders(pool: &Pool<Self>, query: &OrderQuery) -> Result<Page<Order, OrderId>, Error>;

    /// The events of an order, in their sequence.
    async fn events(pool: &Pool<Self>, order_id: OrderId) -> Result<Vec<Event>, Error>;

    /// The newest of all events.
    async fn newest_event(pool: &Pool<Self>) -> Result<Option<EventId>, Error>;

    /// A page of the events of all orders, by their ids.
    async fn events_after(
        pool: &Pool<Self>,
        query: EventQuery,
    ) -> Result<Page<Event, EventId>, Error>;

    /// A page of the log of an endpoint, the newest try first.
    async fn deliveries(
        pool: &Pool<Self>,
        query: &DeliveryQuery,
    ) -> Result<Page<Delivery, DeliveryId>, Error>;

    /// Leases what is due and nobody else is leasing at this moment.
    async fn lease(pool: &Pool<Self>, claim: &LeaseClaim) -> Result<Leased, Error>;

    /// The transfers of an order, in the order of their numbers.
    async fn transfers(pool: &Pool<Self>, order_id: OrderId) -> Result<Vec<Transfer>, Error>;

    /// The stock of items, in the same order; `None` where it is not counted.
    async fn stock(pool: &Pool<Self>, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error>;

    /// The records with these ids, in the same order.
    async fn records(pool: &Pool<Self>, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error>;

    /// A page of records of one kind, by their ids, byte for byte.
    async fn list(pool: &Pool<Self>, query: &RecordQuery) -> Result<RecordPage, Error>;

    /// A page of the dead letters that wait for an operator, by their ids, byte for byte.
    async fn waiting_letters(pool: &Pool<Self>, query: &LetterQuery) -> Result<RecordPage, Error>;

    /// A page of what violates `check`.
    async fn audit(
        pool: &Pool<Self>,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error>;

    /// Figures about what is kept; these are the endpoints that are told of something.
    async fn stats(pool: &Pool<Self>, location: &str, told: &[EndpointId]) -> Result<Stats, Error>;

    /// Removes every order with all that was written for it, in one transaction; how many.
    async fn reset(pool: &Pool<Self>) -> Result<u64, Error>;
}

/// Orders in a database of a server, shared by as many processes as like.
pub(crate) struct Server<E: Engine> {
    inner: Arc<Inner<E>>,
    journal: Arc<dyn Journal>,
    writer: Writer,
    lookups: Lookups,
    /// Where it is, without the password.
    location: String,
}

impl<E: Engine> Server<E> {
    /// Of a database that is open and up to date; on the runtime that will use it.
    pub(crate) fn new(pool: Pool<E>, location: String, cache: Arc<Cache>) -> Self {
        let inner = Arc::new(Inner {
            pool: pool.clone(),
            after: Afterwards::new(cache),
            wary: AtomicU32::new(0),
        });
        let writer = Writer::start(&inner);
        let lookups = Lookups::start(pool.clone(), &inner.after.tasks);
        Self {
            inner,
            journal: Arc::new(Events(pool)),
            writer,
            lookups,
            location,
        }
    }
}

#[async_trait]
impl<E: Engine> Store for Server<E> {
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        self.writer.commit(write_set).await
    }

    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error> {
        let mut connection = self.inner.pool.acquire().await.map_err(failed)?;
        Ok(E::seen(&mut connection, scope).await?)
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        E::order(&self.inner.pool, id).await
    }

    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        E::orders(&self.inner.pool, &query).await
    }

    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        E::events(&self.inner.pool, order_id).await
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        E::events_after(&self.inner.pool, query).await
    }

    async fn live(&self) -> Result<broadcast::Receiver<Live>, Error> {
        self.inner.after.listen(&self.journal).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error> {
        E::deliveries(&self.inner.pool, &query).await
    }

    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        self.writer.check_room()?;
        E::lease(&self.inner.pool, &claim).await
    }

    fn signal(&self) -> watch::Receiver<u64> {
        self.inner.after.signal.subscribe()
    }

    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        E::transfers(&self.inner.pool, order_id).await
    }

    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        E::stock(&self.inner.pool, items).await
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        self.lookups.records(ids).await
    }

    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        E::list(&self.inner.pool, &query).await
    }

    async fn waiting_letters(&self, query: LetterQuery) -> Result<RecordPage, Error> {
        E::waiting_letters(&self.inner.pool, &query).await
    }

    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        E::audit(&self.inner.pool, check, after).await
    }

    async fn stats(&self) -> Result<Stats, Error> {
        let query = RecordQuery {
            kind: RecordKind::Endpoint,
            after: None,
            limit: usize::try_from(ENDPOINTS_MAX).unwrap_or(1),
        };
        let endpoints = E::list(&self.inner.pool, &query).await?.items;
        let told = endpoints
            .iter()
            .filter_map(|(id, record)| Some(Subscriber::read(id, &record.body)?.id));
        E::stats(&self.inner.pool, &self.location, &told.collect::<Vec<_>>()).await
    }

    async fn reset(&self) -> Result<u64, Error> {
        let removed = E::reset(&self.inner.pool).await?;
        self.inner.after.outdate_all().await;
        Ok(removed)
    }

    async fn close(&self) -> Result<(), Error> {
        self.inner.pool.close().await;
        Ok(())
    }
}

/// A database, and who is told of what is committed there.
struct Inner<E: Engine> {
    pool: Pool<E>,
    after: Arc<Afterwards>,
    /// How many groups to come are asked whether their keys are new: one of the last was not.
    wary: AtomicU32,
}

/// The events of a database.
struct Events<E: Engine>(Pool<E>);

#[async_trait]
impl<E: Engine> Journal for Events<E> {
    async fn newest_event(&self) -> Result<Option<EventId>, Error> {
        E::newest_event(&self.0).await
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        E::events_after(&self.0, query).await
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

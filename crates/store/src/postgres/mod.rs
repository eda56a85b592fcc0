//! Orders in a PostgreSQL database, shared by as many processes as like.
//!
//! A write set is one transaction ([`apply`]). Nothing of the database is kept in memory, since
//! another process may have changed it.

mod apply;
mod audit;
mod open;
mod outbox;
mod read;
mod reset;
mod rows;
mod schema;

pub(crate) use open::open;

use crate::cache::Cache;
use crate::write_sets::{Effects, placed};
use crate::{
    Check, Committed, DeliveryQuery, Error, EventQuery, Finding, LeaseClaim, Leased, Live,
    OrderQuery, Page, RecordPage, RecordQuery, Stats, Store,
};
use apply::Outcome;
use async_trait::async_trait;
use domain::idempotency::{Scope, Seen};
use domain::{
    Delivery, DeliveryId, Event, EventId, ItemId, Order, OrderId, Record, RecordId, Stock,
    Transfer, WriteSet,
};
use rows::{failed, is_conflict};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{broadcast, oneshot, watch};

/// How often a write set is tried that the engine refused for coming at the wrong moment.
const TRIES: usize = 3;
/// The most groups that whoever listens may lag behind.
const LIVE_MAX: usize = 256;

/// Orders in a PostgreSQL database.
pub(crate) struct Postgres {
    pool: PgPool,
    /// Where it is, without the password.
    location: String,
    cache: Arc<Cache>,
    /// Counts commits after which a consumer may have something to do.
    signal: watch::Sender<u64>,
    /// Tells whoever listens what was committed.
    live: broadcast::Sender<Live>,
}

/// Why a write set was not committed.
enum Failure {
    /// Nothing was written, and the next try may do better.
    Conflict(sqlx::Error),
    /// It stays so.
    Final(Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if is_conflict(&error) {
            Self::Conflict(error)
        } else {
            Self::Final(failed(error))
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Postgres {
    fn new(pool: PgPool, location: String, cache: Arc<Cache>) -> Self {
        Self {
            pool,
            location,
            cache,
            signal: watch::Sender::new(0),
            live: broadcast::Sender::new(LIVE_MAX),
        }
    }

    /// Tries once to commit a write set.
    async fn try_commit(&self, write_set: &Arc<WriteSet>) -> Result<Committed, Failure> {
        let mut transaction = self.pool.begin().await?;
        let outcome = apply::apply(&mut transaction, write_set).await?;
        let announced = match outcome {
            Outcome::Done { announced } => announced,
            Outcome::Seen(seen) => return Ok(Committed::Seen(seen)),
            Outcome::Refused(change) => return Ok(Committed::Refused(change)),
        };
        if let Err(error) = transaction.commit().await {
            self.fate(write_set, error).await?;
        }
        self.tell(write_set, announced).await;
        Ok(Committed::Done)
    }

    /// What became of a write set whose COMMIT failed. A server that says why did not make it;
    /// where there was no answer, the order that it places is looked for.
    async fn fate(&self, write_set: &WriteSet, error: sqlx::Error) -> Result<(), Failure> {
        if error.as_database_error().is_some() {
            return Err(error.into());
        }
        if let Some(order) = placed(write_set)
            && let Ok(Some(_)) = read::order(&self.pool, order.id).await
        {
            return Ok(());
        }
        Err(Failure::Final(Error::Unknown(error.into())))
    }

    /// Outdates what a write set changed, and tells whoever listens.
    async fn tell(&self, write_set: &Arc<WriteSet>, announced: bool) {
        let effects = Effects::of(write_set.changes.iter(), announced);
        if effects.outdates() {
            let (outdated, done) = oneshot::channel();
            self.cache
                .outdate(effects.moved, move || outdated.send(()).unwrap_or_default());
            drop(done.await);
        }
        if effects.wakes {
            self.signal.send_modify(|commits| *commits += 1);
        }
        // Whoever listened may be gone.
        drop(
            self.live
                .send(Live::Group(Arc::new([Arc::clone(write_set)]))),
        );
    }
}

#[async_trait]
impl Store for Postgres {
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        let mut tries = 1;
        loop {
            match self.try_commit(&write_set).await {
                Ok(committed) => return Ok(committed),
                Err(Failure::Conflict(_)) if tries < TRIES => tries += 1,
                Err(Failure::Conflict(error)) => return Err(failed(error)),
                Err(Failure::Final(error)) => return Err(error),
            }
        }
    }

    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error> {
        read::seen(&self.pool, scope).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        read::order(&self.pool, id).await
    }

    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        read::orders(&self.pool, &query).await
    }

    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        read::events(&self.pool, order_id).await
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        read::events_after(&self.pool, query).await
    }

    fn live(&self) -> broadcast::Receiver<Live> {
        self.live.subscribe()
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error> {
        read::deliveries(&self.pool, &query).await
    }

    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        outbox::lease(&self.pool, &claim).await
    }

    fn signal(&self) -> watch::Receiver<u64> {
        self.signal.subscribe()
    }

    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        read::transfers(&self.pool, order_id).await
    }

    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        read::stocks(&self.pool, items).await
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        read::records(&self.pool, ids).await
    }

    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        read::list(&self.pool, &query).await
    }

    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        audit::audit(&self.pool, check, after).await
    }

    async fn stats(&self) -> Result<Stats, Error> {
        read::stats(&self.pool, &self.location).await
    }

    async fn reset(&self) -> Result<u64, Error> {
        let removed = reset::all_orders(&self.pool).await?;
        let (outdated, done) = oneshot::channel();
        self.cache
            .outdate_all(move || outdated.send(()).unwrap_or_default());
        drop(done.await);
        drop(self.live.send(Live::Gap));
        Ok(removed)
    }

    async fn close(&self) -> Result<(), Error> {
        self.pool.close().await;
        Ok(())
    }
}

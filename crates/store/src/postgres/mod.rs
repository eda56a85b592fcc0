//! Orders in a PostgreSQL database, shared by as many processes as like.
//!
//! Whose write sets are one transaction is decided in [`server`](crate::server); here are the
//! statements.

mod audit;
mod engine;
mod open;
mod outbox;
mod read;
mod reset;
mod rows;
mod schema;
mod write;

pub(crate) use open::open;

use crate::cache::Cache;
use crate::server::{Inner, Lookups, Writer};
use crate::{
    Check, Committed, DeliveryQuery, Error, EventQuery, Finding, LeaseClaim, Leased, Live,
    OrderQuery, Page, RecordPage, RecordQuery, Stats, Store,
};
use async_trait::async_trait;
use domain::idempotency::{Scope, Seen};
use domain::{
    Delivery, DeliveryId, Event, EventId, ItemId, Order, OrderId, Record, RecordId, Stock,
    Transfer, WriteSet,
};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Orders in a PostgreSQL database.
pub(crate) struct Postgres {
    inner: Arc<Inner<sqlx::Postgres>>,
    writer: Writer,
    lookups: Lookups,
    /// Where it is, without the password.
    location: String,
}

impl Postgres {
    /// Of a database that is open and up to date; on the runtime that will use it.
    fn new(pool: PgPool, location: String, cache: Arc<Cache>) -> Self {
        let inner = Inner::new(pool, cache);
        let writer = Writer::start(&inner);
        let lookups = Lookups::start(inner.pool.clone(), &inner.tasks);
        Self {
            inner,
            writer,
            lookups,
            location,
        }
    }
}

#[async_trait]
impl Store for Postgres {
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        self.writer.commit(write_set).await
    }

    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error> {
        read::seen(&self.inner.pool, scope).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        read::order(&self.inner.pool, id).await
    }

    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        read::orders(&self.inner.pool, &query).await
    }

    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        read::events(&self.inner.pool, order_id).await
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        read::events_after(&self.inner.pool, query).await
    }

    async fn live(&self) -> Result<broadcast::Receiver<Live>, Error> {
        self.inner.listen().await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error> {
        read::deliveries(&self.inner.pool, &query).await
    }

    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        outbox::lease(&self.inner.pool, &claim).await
    }

    fn signal(&self) -> watch::Receiver<u64> {
        self.inner.signal.subscribe()
    }

    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        read::transfers(&self.inner.pool, order_id).await
    }

    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        read::stocks(&self.inner.pool, items).await
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        self.lookups.records(ids).await
    }

    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        read::list(&self.inner.pool, &query).await
    }

    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        audit::audit(&self.inner.pool, check, after).await
    }

    async fn stats(&self) -> Result<Stats, Error> {
        read::stats(&self.inner.pool, &self.location).await
    }

    async fn reset(&self) -> Result<u64, Error> {
        let removed = reset::all_orders(&self.inner.pool).await?;
        self.inner.outdate_all().await;
        Ok(removed)
    }

    async fn close(&self) -> Result<(), Error> {
        self.inner.pool.close().await;
        Ok(())
    }
}

/// One column of rows, as an argument.
fn list<R, T>(rows: &[R], column: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

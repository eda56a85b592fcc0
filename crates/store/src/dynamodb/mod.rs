//! Orders in DynamoDB, shared by as many processes as like.
//!
//! A write set is one `TransactWriteItems`, whose reasons for not being done say by their places
//! which guard failed. What is read by its key is read as it is now; lists follow a moment later.

mod action;
mod audit;
mod call;
pub(crate) mod foreign;
mod items;
mod open;
mod outbox;
mod read;
mod reset;
mod stats;
mod tables;
mod write;

pub(crate) use open::open;

use crate::afterwards::{Afterwards, Journal};
use crate::{
    Check, Committed, DeliveryQuery, Error, EventQuery, Finding, LeaseClaim, Leased, LetterQuery,
    Live, OrderQuery, Page, RecordPage, RecordQuery, Stats, Store,
};
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::idempotency::{Scope, Seen};
use domain::{
    Consumer, Delivery, DeliveryId, Event, EventId, ItemId, Order, OrderId, Record, RecordId,
    Stock, Transfer, WriteSet,
};
use std::sync::Arc;
use tables::Tables;
use tokio::sync::{broadcast, watch};

/// A client and the tables that it is to use.
#[derive(Clone)]
struct Db {
    client: Client,
    tables: Arc<Tables>,
}

/// Orders in DynamoDB.
pub(crate) struct Dynamo {
    db: Db,
    after: Arc<Afterwards>,
    journal: Arc<dyn Journal>,
    /// Where it is, for people.
    location: String,
}

/// A partition of the index of wakes.
fn queue(consumer: Consumer, shard: u8) -> AttributeValue {
    items::text(format!("{}#{shard}", items::consumer(consumer)))
}

/// Commits, and has all that follows it done.
async fn commit(
    db: Db,
    after: Arc<Afterwards>,
    write_set: Arc<WriteSet>,
) -> Result<Committed, Error> {
    let subscribers = db.subscribers(&write_set).await?;
    let expected = after.expect(std::iter::once(&*write_set));
    let committed = db.commit(&write_set, &subscribers).await;
    if !matches!(committed, Ok(Committed::Done)) {
        after.give_up(&expected);
        return committed;
    }
    let done = vec![write_set];
    let wakes = after.outdate(&done, !subscribers.is_empty()).await;
    after.tell(done, wakes, expected.listened);
    committed
}

#[async_trait]
impl Store for Dynamo {
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        let committing = commit(self.db.clone(), Arc::clone(&self.after), write_set);
        // Whoever asked may be gone before the answer is there, and others are to be told all the same.
        let committed = self.after.tasks.spawn(committing).await;
        committed.unwrap_or_else(|error| Err(Error::Unknown(error.to_string().into())))
    }

    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error> {
        self.db.seen(scope).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        self.db.order(id).await
    }

    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        self.db.orders(&query).await
    }

    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        self.db.events(order_id).await
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        self.journal.events_after(query).await
    }

    async fn live(&self) -> Result<broadcast::Receiver<Live>, Error> {
        self.after.listen(&self.journal).await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error> {
        self.db.deliveries(&query).await
    }

    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        self.db.lease(&claim).await
    }

    fn signal(&self) -> watch::Receiver<u64> {
        self.after.signal.subscribe()
    }

    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        self.db.transfers(order_id).await
    }

    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        self.db.stock(items).await
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        self.db.records(ids).await
    }

    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        self.db.list(&query).await
    }

    async fn waiting_letters(&self, query: LetterQuery) -> Result<RecordPage, Error> {
        self.db.waiting_letters(&query).await
    }

    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        self.db.audit(check, after).await
    }

    async fn stats(&self) -> Result<Stats, Error> {
        self.db.stats(&self.location).await
    }

    async fn reset(&self) -> Result<u64, Error> {
        let removed = self.db.reset().await?;
        self.after.outdate_all().await;
        Ok(removed)
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

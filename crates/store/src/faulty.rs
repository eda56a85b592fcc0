//! A store that fails when told to: for tests that put a fault at every call.

use crate::{
    Check, Committed, DeliveryQuery, Error, EventQuery, Finding, LeaseClaim, Leased, LetterQuery,
    Live, OrderQuery, Page, RecordPage, RecordQuery, Stats, Store,
};
use async_trait::async_trait;
use domain::idempotency::{Scope, Seen};
use domain::{
    Delivery, DeliveryId, Event, EventId, ItemId, Order, OrderId, Record, RecordId, Stock,
    Transfer, WriteSet,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Notify, broadcast, watch};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and says so.
    Unavailable,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It waits until it is told to go on, as that of a process that stands still does.
    Paused,
    /// A commit is not done, and says that it was: what no store may do, and a test of faults has
    /// to notice.
    Pretended,
}

/// Passes every call on to another store, but fails the n-th.
pub struct Faulty {
    inner: Arc<dyn Store>,
    fault: Fault,
    fail_at: AtomicU64,
    calls: AtomicU64,
    came: Notify,
    go_on: Notify,
}

impl Faulty {
    /// Fails the call number `fail_at` (from 0) in the way of `fault`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, fault: Fault, fail_at: u64) -> Self {
        Self {
            inner,
            fault,
            fail_at: AtomicU64::new(fail_at),
            calls: AtomicU64::new(0),
            came: Notify::new(),
            go_on: Notify::new(),
        }
    }

    /// Waits until the call that pauses has come.
    pub async fn paused(&self) {
        self.came.notified().await;
    }

    /// Lets the call that pauses go on.
    pub fn resume(&self) {
        self.go_on.notify_one();
    }

    /// Fails a call that is still to come: the next is number 0.
    pub fn plant(&self, ahead: u64) {
        let fail_at = self.calls() + ahead;
        self.fail_at.store(fail_at, Ordering::Relaxed);
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn call<T: Send>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        if !self.is_due() {
            return call.await;
        }
        match self.fault {
            Fault::Unavailable => Err(Error::Unavailable("a planted fault".into())),
            Fault::AnswerLost => {
                let _lost = call.await?;
                Err(Error::Unknown("a planted fault".into()))
            }
            Fault::Paused => {
                self.came.notify_one();
                self.go_on.notified().await;
                call.await
            }
            Fault::Pretended => call.await,
        }
    }

    /// Counts a call; whether it is the one that fails.
    fn is_due(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) == self.fail_at.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for Faulty {
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        if self.fault == Fault::Pretended {
            return if self.is_due() {
                Ok(Committed::Done)
            } else {
                self.inner.commit(write_set).await
            };
        }
        self.call(self.inner.commit(write_set)).await
    }

    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error> {
        self.call(self.inner.seen(scope)).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        self.call(self.inner.order(id)).await
    }

    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        self.call(self.inner.orders(query)).await
    }

    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        self.call(self.inner.events(order_id)).await
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        self.call(self.inner.events_after(query)).await
    }

    async fn live(&self) -> Result<broadcast::Receiver<Live>, Error> {
        self.inner.live().await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error> {
        self.call(self.inner.deliveries(query)).await
    }

    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        self.call(self.inner.lease(claim)).await
    }

    fn signal(&self) -> watch::Receiver<u64> {
        self.inner.signal()
    }

    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        self.call(self.inner.transfers(order_id)).await
    }

    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        self.call(self.inner.stock(items)).await
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        self.call(self.inner.records(ids)).await
    }

    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        self.call(self.inner.list(query)).await
    }

    async fn waiting_letters(&self, query: LetterQuery) -> Result<RecordPage, Error> {
        self.call(self.inner.waiting_letters(query)).await
    }

    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        self.call(self.inner.audit(check, after)).await
    }

    async fn stats(&self) -> Result<Stats, Error> {
        self.call(self.inner.stats()).await
    }

    async fn reset(&self) -> Result<u64, Error> {
        self.call(self.inner.reset()).await
    }

    async fn close(&self) -> Result<(), Error> {
        self.inner.close().await
    }
}

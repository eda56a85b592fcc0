//! The loop: lease what is due, hand it to a handler, many at once; wait for the signal, the next
//! due time or a tick.
//!
//! The signal carries nothing and may be lost. A lease that nobody keeps is due again when its time
//! is up: so whatever dies, the work is found.

use async_trait::async_trait;
use domain::{Change, Clock, Consumer, Lease, Letter, Timestamp, WriteSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Error, LeaseClaim, Leased, Store, Which};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// How long the loop waits at the most, whatever it was told.
const TICK: Duration = Duration::from_secs(1);

/// Which part of its time a lease may take to come about: after that it is soon to be kept.
const SLOW: u128 = 4;

/// How often an order is received, with nothing heard of it, before it is buried: it ends its
/// workers.
pub const RECEIVED_MAX: u32 = 5;

/// Does what there is to do on one subject. Doing it twice equals doing it once.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Which wakes it takes, at most `max` of them.
    #[must_use]
    fn which(max: usize) -> Which {
        Which::Due(max)
    }

    /// Does it, and settles or delays the lease in the same commit as what it writes.
    async fn handle(&self, lease: Lease) -> Verdict;
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is settled, or somebody else has it.
    Done,
    /// It was given back until then.
    Later(Timestamp),
    /// It could not be worked on, for a reason that may pass: it is due again in time.
    Retry(String),
    /// It can never be worked on: it is buried.
    Dead(String),
}

/// How much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most wakes of one lease, at first; of the following ones more, while there are more.
    pub batch: usize,
    /// The most deliveries that are worked on at once; not less than a batch.
    pub concurrency: usize,
    /// How long a lease is good for, in ms, unless its handler keeps it.
    pub lease_ms: i64,
    /// How often a wake is received, with nothing heard of it, before it is buried.
    pub received_max: u32,
}

impl Limits {
    /// How many to work on at once next: half as many after a lease that took long, since then the
    /// store has enough to do; else twice as many again.
    fn next_most(&self, most: usize, took: Duration) -> usize {
        let slow = u128::from(self.lease_ms.unsigned_abs()) / SLOW;
        if took.as_millis() > slow {
            (most / 2).max(self.batch)
        } else {
            (2 * most).min(self.concurrency)
        }
    }

    /// How many wakes to lease next: more and more while there are more, so that no throng waits
    /// for one commit after the other; at most half of what is worked on at once, so that the other
    /// half is worked on meanwhile.
    fn next_batch(&self, batch: usize, most: usize, more: bool) -> usize {
        let next = if more { 2 * batch } else { self.batch };
        next.min(most / 2).max(1)
    }
}

/// The loop for one consumer.
pub struct Drain<H> {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    consumer: Consumer,
    limits: Limits,
    handler: Arc<H>,
}

impl<H: Handler> Drain<H> {
    /// A loop that hands what `consumer` is woken for to `handler`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        consumer: Consumer,
        limits: Limits,
        handler: H,
    ) -> Self {
        let concurrency = limits.concurrency.max(limits.batch);
        Self {
            store,
            clock,
            consumer,
            limits: Limits {
                concurrency,
                ..limits
            },
            handler: Arc::new(handler),
        }
    }

    /// Works until `stop`, then finishes what it holds.
    pub async fn run(self, stop: CancellationToken) {
        let mut signal = self.store.signal();
        let mut under_way = JoinSet::new();
        let mut batch = self.limits.batch;
        let mut most = self.limits.concurrency;
        while !stop.is_cancelled() {
            signal.mark_unchanged();
            let begun = Instant::now();
            let leasing = self.lease(&mut under_way, batch).await;
            let Leasing { mut next_due, more } = leasing;
            most = self.limits.next_most(most, begun.elapsed());
            batch = self.limits.next_batch(batch, most, more);
            loop {
                // A lease is a write: it waits until there is room for a whole batch.
                let room = most.saturating_sub(under_way.len()) >= batch;
                if more && room {
                    break;
                }
                let pause = self.until(next_due);
                tokio::select! {
                    finished = under_way.join_next(), if !under_way.is_empty() => {
                        if let Some(due) = finished.and_then(due_again) {
                            next_due = Some(next_due.map_or(due, |next| next.min(due)));
                        }
                    }
                    _ = signal.changed(), if room => break,
                    () = sleep(pause), if room => break,
                    () = stop.cancelled() => break,
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Works on all that is due now, one after the other: for tests that move the clock.
    ///
    /// # Errors
    /// Those of the store, when nothing can be leased.
    pub async fn pass(&self) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            let leased = self.store.lease(self.claim(self.limits.batch)).await?;
            if leased.entries.is_empty() {
                return Ok(count);
            }
            for lease in leased.entries {
                count += 1;
                deliver(self.delivery(lease)).await;
            }
        }
    }

    /// Leases what is due, `max` at the most, and begins to work on it.
    async fn lease(&self, under_way: &mut JoinSet<Option<Timestamp>>, max: usize) -> Leasing {
        let leased = match self.store.lease(self.claim(max)).await {
            Ok(leased) => leased,
            Err(error) => {
                warn!(source = ?error, "Nothing could be leased: {error}");
                Leased::default()
            }
        };
        let more = leased.entries.len() == max;
        for lease in leased.entries {
            under_way.spawn(deliver(self.delivery(lease)));
        }
        Leasing {
            more,
            next_due: leased.next_due,
        }
    }

    fn claim(&self, max: usize) -> LeaseClaim {
        let now = self.clock.now();
        LeaseClaim {
            consumer: self.consumer,
            which: H::which(max),
            now,
            until: now.plus_millis(self.limits.lease_ms),
        }
    }

    fn delivery(&self, lease: Lease) -> Delivery<H> {
        Delivery {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            handler: Arc::clone(&self.handler),
            received_max: self.limits.received_max,
            lease,
        }
    }

    /// How long until `due`, but no longer than a tick.
    fn until(&self, due: Option<Timestamp>) -> Duration {
        let now = self.clock.now().as_millis();
        let millis = due.map(|due| u64::try_from(due.as_millis() - now).unwrap_or(0));
        millis.map_or(TICK, |millis| {
            Duration::from_millis(millis.max(1)).min(TICK)
        })
    }
}

/// What a lease led to.
struct Leasing {
    /// Whether there may be more that is due.
    more: bool,
    next_due: Option<Timestamp>,
}

/// One arrival of a wake.
struct Delivery<H> {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    handler: Arc<H>,
    received_max: u32,
    lease: Lease,
}

/// Has a delivery handled; when it is due again, if that is known.
async fn deliver<H: Handler>(delivery: Delivery<H>) -> Option<Timestamp> {
    let lease = delivery.lease;
    let verdict = if lease.received > delivery.received_max {
        Verdict::Dead(format!(
            "it was received {} times in vain",
            lease.received - 1
        ))
    } else {
        delivery.handler.handle(lease).await
    };
    match verdict {
        Verdict::Done => None,
        Verdict::Later(due) => Some(due),
        Verdict::Retry(why) => {
            warn!(order_id = %lease.subject, attempt = lease.attempt, "Left order {} for later: {why}", lease.subject);
            None
        }
        Verdict::Dead(why) => {
            error!(order_id = %lease.subject, "Buried order {}: {why}", lease.subject);
            let bury = bury(&*delivery.store, &*delivery.clock, lease, &why);
            if let Err(error) = bury.await {
                warn!(source = ?error, "Could not bury order {}: {error}", lease.subject);
            }
            None
        }
    }
}

/// Puts a delivery among the dead letters, and takes it out of the outbox.
pub(crate) async fn bury(
    store: &dyn Store,
    clock: &dyn Clock,
    lease: Lease,
    why: &str,
) -> Result<(), Error> {
    let letter = Letter::poison(lease.subject, why, clock.now());
    let there = store.records(&[letter.id()]).await?;
    let was = there
        .into_iter()
        .flatten()
        .map(|record| record.version)
        .next();
    let write_set = WriteSet {
        claim: None,
        changes: vec![letter.change(was.unwrap_or(0)), Change::Settle(lease)],
    };
    // Refused: somebody else has it, or there is more to do on it, and it comes again.
    store.commit(Arc::new(write_set)).await?;
    Ok(())
}

fn due_again(finished: Result<Option<Timestamp>, JoinError>) -> Option<Timestamp> {
    finished.unwrap_or_else(|error| {
        error!("A delivery panicked; it is due again in time: {error}");
        None
    })
}

#[cfg(test)]
mod tests;

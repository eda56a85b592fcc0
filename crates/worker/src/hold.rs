//! A lease while its wake is worked on: whoever is slow has it as much as whoever is quick. Without
//! that, too much at once would take all its own work for abandoned, do it twice, and bury it.

use domain::{Change, Clock, Delayed, Lease, WriteSet};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Committed, Store};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

/// Of how many parts of its time each is the next to keep it.
const PARTS: u32 = 3;
/// How often a lease is kept: whoever takes longer hangs, and somebody else is to try.
const KEPT_MAX: u32 = 12 * PARTS;

/// A lease that is ours while something is done.
pub(crate) struct Hold<'h> {
    store: &'h dyn Store,
    clock: &'h dyn Clock,
    pub(crate) lease: Lease,
    lease_ms: i64,
    /// Whether what is written of it next is its end.
    ends: AtomicBool,
    was_kept: AtomicBool,
}

impl<'h> Hold<'h> {
    /// A lease that was just taken and is good for `lease_ms`.
    pub(crate) fn new(
        store: &'h dyn Store,
        clock: &'h dyn Clock,
        lease: Lease,
        lease_ms: i64,
    ) -> Self {
        Self {
            store,
            clock,
            lease,
            lease_ms,
            ends: AtomicBool::new(false),
            was_kept: AtomicBool::new(false),
        }
    }

    /// Does it, and keeps the lease meanwhile.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.keep() => match never {},
        }
    }

    /// Keeps it no more: the next that is written settles it or gives it back.
    pub(crate) fn ends(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    /// Has it due for whoever comes next, after another moved the order on.
    pub(crate) async fn let_go(&self) {
        self.ends();
        // Else whoever moved it has woken somebody, and nobody has put that off.
        if self.was_kept.load(Ordering::Relaxed) {
            self.delay(0, Delayed::GivenBack(None)).await;
        }
    }

    /// Gives it back until its time is up: why nothing came of it is known, so it was not in vain.
    pub(crate) async fn forgive(&self) {
        self.ends();
        self.delay(self.lease_ms, Delayed::GivenBack(None)).await;
    }

    async fn keep(&self) -> Infallible {
        let part = Duration::from_millis(self.lease_ms.unsigned_abs()) / PARTS;
        let mut kept_at = Instant::now();
        for _ in 0..KEPT_MAX {
            sleep_until(kept_at + part).await;
            if self.ends.load(Ordering::Relaxed) {
                break;
            }
            kept_at = Instant::now();
            self.was_kept.store(true, Ordering::Relaxed);
            if !self.delay(self.lease_ms, Delayed::Kept).await {
                break;
            }
        }
        pending().await
    }

    /// Has it due in `millis`; whether it was still ours, as far as is known.
    async fn delay(&self, millis: i64, how: Delayed) -> bool {
        let lease = self.lease;
        let due_at = self.clock.now().plus_millis(millis);
        let write_set = WriteSet {
            claim: None,
            changes: vec![Change::Delay { lease, due_at, how }],
        };
        match self.store.commit(Arc::new(write_set)).await {
            Ok(committed) => committed == Committed::Done,
            Err(error) => {
                warn!(source = ?error, "Could not keep the wake of order {}: {error}", lease.subject);
                true
            }
        }
    }
}

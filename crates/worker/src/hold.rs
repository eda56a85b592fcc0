//! A lease while its wake is worked on: whoever is slow has it as much as whoever is quick. Without
//! that, too much at once would take all its own work for abandoned, do it twice, and bury it.

use crate::drain::Verdict;
use domain::{Change, Clock, Delayed, Lease, WriteSet};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use store::{Committed, Store};
use tokio::time::sleep;
use tracing::warn;

/// How often a lease is kept, half of its time each: whoever takes longer hangs, and somebody else is
/// to try.
const KEPT_MAX: u32 = 24;

/// A lease that is ours while something is done.
pub(crate) struct Hold<'h> {
    pub(crate) store: &'h dyn Store,
    pub(crate) clock: &'h dyn Clock,
    pub(crate) lease: Lease,
    /// How long the lease is good for, in ms.
    pub(crate) lease_ms: i64,
}

impl Hold<'_> {
    /// Does it, and keeps the lease meanwhile.
    pub(crate) async fn during(&self, work: impl Future<Output = Verdict>) -> Verdict {
        tokio::select! {
            verdict = work => verdict,
            never = self.keep() => match never {},
        }
    }

    async fn keep(&self) -> Infallible {
        let half = Duration::from_millis(self.lease_ms.unsigned_abs() / 2);
        for _ in 0..KEPT_MAX {
            sleep(half).await;
            if !self.delay(Delayed::Kept).await {
                break;
            }
        }
        pending().await
    }

    /// Has it due after its time once more; whether it was still ours, as far as is known.
    pub(crate) async fn delay(&self, how: Delayed) -> bool {
        let lease = self.lease;
        let due_at = self.clock.now().plus_millis(self.lease_ms);
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

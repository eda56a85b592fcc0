//! Who keeps whom waiting on a connection, and since when.
//!
//! A timer for each request would be the dearest part of a fast one. Instead the connection notes
//! what it waits for, and one timer a connection looks at the note now and then.

use super::Limits;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a client may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Phase {
    /// For the client to begin a request.
    Idle = 0,
    /// For the client to finish the head of a request.
    Head = 1,
    /// For us.
    Busy = 2,
    /// For the client to take an answer.
    Unread = 3,
}

const PHASE_BITS: u32 = 2;

/// What a connection waits for, and since when.
pub(crate) struct Waiting {
    opened_at: Instant,
    /// Milliseconds from the opening to the beginning of the phase, then the phase.
    note: AtomicU64,
}

impl Waiting {
    /// A connection that has just been opened, by someone who is expected to have a request.
    pub(crate) fn new() -> Self {
        Self {
            opened_at: Instant::now(),
            note: AtomicU64::new(Phase::Head as u64),
        }
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        if self.phase() == Phase::Idle {
            self.begin(Phase::Head);
        }
    }

    /// A request is being handled.
    pub(super) fn busy(&self) {
        self.begin(Phase::Busy);
    }

    /// A request has its answer.
    pub(super) fn answered(&self) {
        self.begin(Phase::Idle);
    }

    /// Bytes went out, or could not.
    pub(crate) fn sending<T>(&self, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match (&sent, self.phase()) {
            (Poll::Pending, phase) if phase != Phase::Unread => self.begin(Phase::Unread),
            (Poll::Ready(_), Phase::Unread | Phase::Idle) => self.begin(Phase::Idle),
            _ => {}
        }
        sent
    }

    /// Waits until the client has kept us waiting for too long.
    pub(super) async fn overdue(&self, limits: Limits) {
        // A phase with a nearer end may begin meanwhile, so look more often than need be.
        let look_again = limits.header_timeout / 4;
        loop {
            let left = match self.left(limits) {
                Some(Duration::ZERO) => return,
                left => left.unwrap_or(look_again),
            };
            sleep(left.min(look_again)).await;
        }
    }

    /// How long the client may still take; `None` while it waits for us.
    fn left(&self, limits: Limits) -> Option<Duration> {
        let allowed = match self.phase() {
            Phase::Idle => limits.idle_timeout,
            Phase::Head => limits.header_timeout,
            Phase::Unread => WRITE_TIMEOUT,
            Phase::Busy => return None,
        };
        let began = Duration::from_millis(self.note.load(Ordering::Relaxed) >> PHASE_BITS);
        Some((began + allowed).saturating_sub(self.opened_at.elapsed()))
    }

    fn phase(&self) -> Phase {
        match self.note.load(Ordering::Relaxed) & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Busy,
            _ => Phase::Unread,
        }
    }

    fn begin(&self, phase: Phase) {
        // All of a connection happens in one task, so there is nobody to race with.
        let since = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.note
            .store(since << PHASE_BITS | phase as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;

//! The real clock and the real ids: the one place that asks the system for the time.

use domain::{Clock, Ids, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's wall clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one clock that reads the system's"
    )]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is a clock that was never set: 1970 is as good as any.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Ids that nobody can guess: the thread's generator is a cryptographic one and needs no system
/// call for an id.
#[must_use]
pub fn ids() -> Ids {
    Ids::new(rand::random::<u64>)
}

/// An id for a request that no layer saw.
#[must_use]
pub fn request_id() -> String {
    ids().mint(SystemClock.now()).to_string()
}

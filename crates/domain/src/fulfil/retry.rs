//! How long to wait before a call is tried again: exponential back-off with full jitter
//! (Brooker, *Exponential Backoff and Jitter*, 2015).

/// The bounds of the wait, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The longest wait after the first failure; it doubles with each further one.
    pub base_ms: i64,
    /// The longest wait of all.
    pub max_ms: i64,
}

impl Retry {
    /// The wait after `tries` failed ones: anything from nothing to the bound, as `random` says, or
    /// as long as the provider asked for.
    #[must_use]
    pub fn wait(self, tries: u32, random: u64, asked_for: Option<i64>) -> i64 {
        let doublings = tries.saturating_sub(1).min(30);
        let bound = self
            .base_ms
            .saturating_mul(1 << doublings)
            .clamp(1, self.max_ms.max(1));
        let wait = i64::try_from(random % bound.cast_unsigned()).unwrap_or(0) + 1;
        asked_for.map_or(wait, |asked| asked.clamp(wait, self.max_ms.max(wait)))
    }
}

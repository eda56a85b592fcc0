//! How long answers took, in buckets fine enough to tell quantiles of any stretch of time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Four buckets for each doubling, from 4 µs on: what they tell is at most a quarter too much.
const PER_DOUBLING: u32 = 4;
const BUCKETS: usize = 4 * 24;

/// Counts how long answers took.
pub(super) struct Took([AtomicU64; BUCKETS]);

impl Default for Took {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Took {
    pub(super) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0[bucket(micros)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn so_far(&self) -> Spread {
        Spread(self.0.iter().map(|it| it.load(Ordering::Relaxed)).collect())
    }
}

/// How many answers took how long.
#[derive(Clone, Default)]
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    /// What came after `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let was = before.0.iter().copied().chain(std::iter::repeat(0));
        Self(
            self.0
                .iter()
                .zip(was)
                .map(|(is, was)| is.saturating_sub(was))
                .collect(),
        )
    }

    /// Within how many ms that part of the answers came, from 0 to 1; `None` where there are none.
    pub(crate) fn quantile_ms(&self, part: f64) -> Option<f64> {
        let all: u64 = self.0.iter().sum();
        if all == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count, at least 1"
        )]
        let wanted = ((all as f64 * part).ceil() as u64).max(1);
        let mut counted = 0;
        let bucket = self.0.iter().position(|count| {
            counted += count;
            counted >= wanted
        })?;
        #[expect(clippy::cast_precision_loss, reason = "three figures of it are shown")]
        Some(end_of(bucket) as f64 / 1_000.0)
    }
}

fn bucket(micros: u64) -> usize {
    let micros = micros.max(PER_DOUBLING.into());
    let doublings = micros.ilog2() - 2;
    let quarter = (micros >> doublings) - u64::from(PER_DOUBLING);
    let bucket = u64::from(doublings * PER_DOUBLING) + quarter;
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The µs that a bucket ends at.
fn end_of(bucket: usize) -> u64 {
    let per = PER_DOUBLING as usize;
    ((per + bucket % per + 1) as u64) << (bucket / per)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_a_quarter_too_much() {
        for micros in [4, 5, 7, 8, 100, 1_000, 65_536, 999_999] {
            let end = end_of(bucket(micros));
            assert!(
                end > micros && end <= micros + micros / 4 + 1,
                "{micros}: {end}"
            );
        }
        let took = Took::default();
        for _ in 0..99 {
            took.note(Duration::from_millis(1));
        }
        let before = took.so_far();
        took.note(Duration::from_secs(1));
        let all = took.so_far();
        assert!(all.quantile_ms(0.5).is_some_and(|ms| ms < 1.3));
        assert!(all.quantile_ms(1.0).is_some_and(|ms| ms >= 1_000.0));
        assert!(
            all.since(&before)
                .quantile_ms(0.5)
                .is_some_and(|ms| ms >= 1_000.0)
        );
        assert_eq!(before.since(&before).quantile_ms(0.99), None);
    }

    #[test]
    fn what_takes_for_ever_is_in_the_last_bucket() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket(0), 0);
    }
}

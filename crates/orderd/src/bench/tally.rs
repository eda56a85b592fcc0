//! What is counted while a load runs: latencies, statuses, failures, and a sample of the answers.

use domain::scatter::scatter;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest latency that is told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_mins(1);

/// The counts of one thread.
pub(super) struct Tally {
    /// Microseconds from the first byte sent to the last byte read.
    pub(super) latencies: Histogram<u64>,
    /// Answers by their status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests that got no answer.
    pub(super) failures: u64,
    /// Requests sent, those of the warm-up and those without an answer included.
    pub(super) sent: u64,
    /// Some of the 2xx answers to requests that can be sent again.
    pub(super) sample: Sample,
}

impl Tally {
    /// Nothing counted yet; at most `sample` answers will be kept.
    pub(super) fn new(sample: usize) -> Self {
        let longest = u64::try_from(LATENCY_MAX.as_micros()).expect("a minute is a small number");
        Self {
            latencies: Histogram::new_with_bounds(1, longest, 3)
                .expect("1 to 60,000,000 with 3 digits are good bounds"),
            statuses: BTreeMap::new(),
            failures: 0,
            sent: 0,
            sample: Sample {
                kept: Vec::new(),
                size: sample,
                seen: 0,
            },
        }
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self, status: u16, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Adds the counts of another thread.
    pub(super) fn add(&mut self, other: &Self) {
        self.latencies
            .add(&other.latencies)
            .expect("all have the same bounds");
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.failures += other.failures;
        self.sent += other.sent;
        self.sample.kept.extend_from_slice(&other.sample.kept);
    }
}

/// An even sample of what passes by, however much it is (a reservoir).
pub(super) struct Sample {
    /// Numbers of requests with the bodies that answered them.
    pub(super) kept: Vec<(u64, Box<[u8]>)>,
    size: usize,
    seen: u64,
}

impl Sample {
    /// Shows an answer to the sample, which keeps it or not.
    pub(super) fn offer(&mut self, number: u64, body: &[u8]) {
        self.seen += 1;
        if self.kept.len() < self.size {
            self.kept.push((number, body.into()));
            return;
        }
        let place = usize::try_from(scatter(self.seen) % self.seen).unwrap_or(usize::MAX);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = (number, body.into());
        }
    }
}

#[cfg(test)]
mod tests;

//! What became of a batch, in the embedded metric format of `CloudWatch`: one line of JSON a batch.

use domain::fulfil::CallKind;
use domain::{Status, Timestamp};
use serde_json::{Value, json};
use setup::config::Lambda;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use worker::watch::Outcome;
use worker::{Verdict, Witness};

/// Counts what the worker does, from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    completed: AtomicU32,
    given_up: AtomicU32,
    calls_failed: AtomicU32,
}

impl Witness for Tally {
    fn tried(&self, _call: CallKind, outcome: Outcome, _took: Duration) {
        if outcome == Outcome::Failed {
            self.calls_failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn finished(&self, status: Status) {
        match status {
            Status::Completed => self.completed.fetch_add(1, Ordering::Relaxed),
            Status::Failed | Status::NeedsReview => self.given_up.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

/// How many messages of a batch came to which end, and how many orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    done: u32,
    later: u32,
    failed: u32,
    poison: u32,
    orders_completed: u32,
    orders_given_up: u32,
    calls_failed: u32,
}

impl Batch {
    /// Takes over what was counted since the batch before.
    pub(crate) fn note(&mut self, tally: &Tally) {
        let taken = |count: &AtomicU32| count.swap(0, Ordering::Relaxed);
        self.orders_completed = taken(&tally.completed);
        self.orders_given_up = taken(&tally.given_up);
        self.calls_failed = taken(&tally.calls_failed);
    }

    pub(crate) const fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Done => self.done += 1,
            Verdict::Later(_) => self.later += 1,
            Verdict::Retry(_) => self.failed += 1,
            Verdict::Dead(_) => self.poison += 1,
        }
    }

    /// The line; the first one of a process says that it had to be started.
    pub(crate) fn line(self, settings: &Lambda, at: Timestamp, took_ms: i64) -> Value {
        static STARTED: AtomicBool = AtomicBool::new(false);
        let cold_start = u32::from(!STARTED.swap(true, Ordering::Relaxed));
        let metric = |(name, unit): (&str, &str)| json!({ "Name": name, "Unit": unit });
        let metrics = [
            ("MessagesDone", "Count"),
            ("MessagesLater", "Count"),
            ("MessagesFailed", "Count"),
            ("MessagesPoison", "Count"),
            ("OrdersCompleted", "Count"),
            ("OrdersGivenUp", "Count"),
            ("CallsFailed", "Count"),
            ("ColdStart", "Count"),
            ("BatchDuration", "Milliseconds"),
        ];
        json!({
            "_aws": {
                "Timestamp": at.as_millis(),
                "CloudWatchMetrics": [{
                    "Namespace": settings.metrics_namespace,
                    "Dimensions": [["service"]],
                    "Metrics": metrics.map(metric),
                }],
            },
            "service": settings.service,
            "MessagesDone": self.done,
            "MessagesLater": self.later,
            "MessagesFailed": self.failed,
            "MessagesPoison": self.poison,
            "OrdersCompleted": self.orders_completed,
            "OrdersGivenUp": self.orders_given_up,
            "CallsFailed": self.calls_failed,
            "ColdStart": cold_start,
            "BatchDuration": took_ms,
        })
    }
}

#[cfg(test)]
mod tests;

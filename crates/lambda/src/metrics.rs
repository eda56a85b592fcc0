//! What became of a batch, in the embedded metric format of `CloudWatch`: one line of JSON a batch.

use domain::Timestamp;
use serde_json::{Value, json};
use setup::config::Lambda;
use std::sync::atomic::{AtomicBool, Ordering};
use worker::Verdict;

/// How many messages of a batch came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    done: u32,
    later: u32,
    failed: u32,
    poison: u32,
}

impl Batch {
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
            "ColdStart": cold_start,
            "BatchDuration": took_ms,
        })
    }
}

#[cfg(test)]
mod tests;

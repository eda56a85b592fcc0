//! What happened between two looks: rates, shares and quantiles, out of what the server had counted at
//! either.

use super::sample::{Sample, Series};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const REQUESTS: &str = "http_server_request_duration_seconds_count";
const BUCKETS: &str = "http_server_request_duration_seconds_bucket";
/// Where orders are placed one by one.
const PLACING: [&str; 2] = ["/v1/orders", "/orders"];

/// Figures of one interval, rates a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) requests: f64,
    pub(super) errors: f64,
    pub(super) placed: f64,
    /// Half of all placings were answered within so many ms; `None`: there were none.
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    /// Orders that came to an end, by how.
    pub(super) finished: BTreeMap<String, f64>,
    /// Calls for money and stock, by what came of them.
    pub(super) calls: BTreeMap<String, f64>,
    /// By queue, how much waits, and for how many seconds the oldest has been due.
    pub(super) queues: BTreeMap<String, (f64, f64)>,
    pub(super) dead_letters: f64,
    pub(super) violations: f64,
    /// The share of requests with a key that were answered as before.
    pub(super) replayed: Option<f64>,
    /// The share of reads that the cache answered.
    pub(super) hits: Option<f64>,
    /// Processors in use.
    pub(super) cpu: f64,
    pub(super) memory_bytes: f64,
    pub(super) open_files: f64,
}

impl Figures {
    /// The figures of the time between two looks.
    pub(super) fn between(before: &Sample, now: &Sample, took: Duration) -> Self {
        let seconds = took.as_secs_f64().max(f64::EPSILON);
        let rate = |name: &str, wanted: &dyn Fn(&Series) -> bool| {
            grown(before.sum(name, wanted), now.sum(name, wanted)) / seconds
        };
        let rates = |name, label| {
            let grown = grown_by(&before.by(name, label), &now.by(name, label));
            let a_second = |(label, count)| (label, count / seconds);
            grown.into_iter().map(a_second).collect::<BTreeMap<_, _>>()
        };
        let any = |_: &Series| true;
        let failed = |it: &Series| it.label("http_response_status_code").starts_with('5');
        let keys = rates("orderd_idempotency_requests_total", "result");
        let reads = rates("orderd_cache_requests_total", "result");
        let placings = grown_buckets(before, now);
        let in_ms = |quantile| quantile_s(&placings, quantile).map(|seconds| seconds * 1_000.0);
        let ages = now.by("orderd_queue_oldest_age_seconds", "queue");
        let depths = now.by("orderd_queue_depth", "queue").into_iter();
        let waiting = |(queue, depth)| {
            let age = ages.get(&queue).copied().unwrap_or_default();
            (queue, (depth, age))
        };
        Self {
            requests: rate(REQUESTS, &any),
            errors: rate(REQUESTS, &failed),
            placed: rate("orderd_orders_created_total", &any),
            p50_ms: in_ms(0.5),
            p99_ms: in_ms(0.99),
            finished: rates("orderd_orders_finished_total", "status"),
            calls: rates("orderd_saga_step_attempts_total", "outcome"),
            queues: depths.map(waiting).collect(),
            dead_letters: now.sum("orderd_dead_letters", any),
            violations: now.sum("orderd_invariant_violations", any),
            replayed: share(&keys, "replayed"),
            hits: share(&reads, "hit"),
            cpu: rate("process_cpu_seconds_total", &any),
            memory_bytes: now.sum("process_resident_memory_bytes", any),
            open_files: now.sum("process_open_fds", any),
        }
    }

    /// All of them, for programs.
    pub(super) fn to_json(&self) -> Value {
        let queue = |(name, (depth, age_s)): (&String, &(f64, f64))| {
            (
                name.clone(),
                json!({ "depth": depth, "oldest_age_s": age_s }),
            )
        };
        json!({
            "requests_per_s": self.requests,
            "errors_per_s": self.errors,
            "placed_per_s": self.placed,
            "placing_p50_ms": self.p50_ms,
            "placing_p99_ms": self.p99_ms,
            "finished_per_s": self.finished,
            "calls_per_s": self.calls,
            "queues": self.queues.iter().map(queue).collect::<Map<_, _>>(),
            "dead_letters": self.dead_letters,
            "invariant_violations": self.violations,
            "replayed_share": self.replayed,
            "cache_hit_share": self.hits,
            "processors": self.cpu,
            "memory_bytes": self.memory_bytes,
            "open_files": self.open_files,
        })
    }
}

/// By how much a counter grew. One that is smaller than it was began anew meanwhile.
fn grown(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

fn grown_by(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let grown = |(label, count): (&String, &f64)| {
        let before = before.get(label).copied().unwrap_or_default();
        (label.clone(), grown(before, *count))
    };
    now.iter().map(grown).collect()
}

/// The share of one among all; `None` where there are none.
fn share(all: &BTreeMap<String, f64>, one: &str) -> Option<f64> {
    let sum: f64 = all.values().sum();
    let one = all.get(one).copied().unwrap_or_default();
    (sum > 0.0).then(|| one / sum)
}

/// How many placings took at most so many seconds, of those between two looks; the bounds ascend.
fn grown_buckets(before: &Sample, now: &Sample) -> Vec<(f64, f64)> {
    let buckets = |sample: &Sample| {
        let mut counts = BTreeMap::new();
        for series in sample.of(BUCKETS) {
            let is_placing = series.label("http_request_method") == "POST"
                && PLACING.contains(&series.label("http_route"));
            if is_placing {
                *counts.entry(series.label("le").to_owned()).or_default() += series.value;
            }
        }
        counts
    };
    let grown = grown_by(&buckets(before), &buckets(now));
    let bound = |(le, count): (String, f64)| Some((le.parse::<f64>().ok()?, count));
    let mut grown: Vec<(f64, f64)> = grown.into_iter().filter_map(bound).collect();
    grown.sort_by(|one, other| one.0.total_cmp(&other.0));
    grown
}

/// The time within which this share of them was answered, as if they were spread evenly within a
/// bucket; `None` where there were none. Of what is beyond the last bound, that bound is known.
fn quantile_s(buckets: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let total = buckets
        .last()
        .map(|(_, count)| *count)
        .filter(|it| *it > 0.0)?;
    let rank = quantile * total;
    let (mut bound_before, mut count_before) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank && *count > count_before {
            if bound.is_infinite() {
                return Some(bound_before);
            }
            let within = (rank - count_before) / (count - count_before);
            return Some(bound_before + (bound - bound_before) * within);
        }
        (bound_before, count_before) = (*bound, *count);
    }
    None
}

#[cfg(test)]
mod tests;

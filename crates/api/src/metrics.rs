//! What is counted of the service, and shown at `/metrics`.
//!
//! Labels are few and known beforehand: a route is its template, never the path that was asked for.
//! What the worker counts comes in by [`Metrics::tried`] and [`Metrics::finished`]; what the store
//! knows is asked of it when somebody looks.

mod process;
mod prometheus;
mod took;

pub(crate) use took::Spread;
use took::Took;

use domain::{Status, Timestamp};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use store::cache::Source;
use store::{Check, Stats, Waiting};

/// The buckets that OpenTelemetry advises, and three before them: most answers come within a
/// millisecond or so.
const BUCKETS_S: [f64; 17] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
];
/// The ends that an order may come to, or be left at.
const ENDS: [Status; 5] = [
    Status::Completed,
    Status::Failed,
    Status::Cancelled,
    Status::NeedsReview,
    Status::Refunded,
];

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// In which words `/metrics` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of Prometheus, version 0.0.4, which everything reads.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

/// Counters that handlers raise; reading them is `/metrics`.
pub struct Metrics {
    registry: Registry,
    durations: Durations<Answer>,
    /// Orders placed, replays not counted.
    pub(crate) orders_created: Counter,
    orders_finished: Family<ByStatus, Counter>,
    attempts: Family<ByOutcome, Counter>,
    attempt_durations: Durations<ByStep>,
    /// Requests whose idempotency key was free.
    pub(crate) keys_new: Counter,
    /// Requests that were answered as before. One whose key is being used at this moment is, too:
    /// it waits for the other one.
    pub(crate) keys_replayed: Counter,
    /// Requests whose key was used for another request.
    pub(crate) keys_mismatched: Counter,
    cache_hits: Counter,
    cache_misses: Counter,
    cache_bypasses: Counter,
    depths: Family<ByQueue, Gauge>,
    ages: Family<ByQueue, Seconds>,
    pending_count: Gauge,
    dead_letter_count: Gauge,
    size_bytes: Gauge,
    violations: Family<ByCheck, Gauge>,
    took: Took,
}

/// What was counted up to a moment, for those who draw it.
#[derive(Clone, Default)]
pub(crate) struct Counted {
    /// Orders placed.
    pub(crate) orders: u64,
    /// Orders completed by this process.
    pub(crate) completed: u64,
    /// Orders that failed here, or that only a person can decide.
    pub(crate) failed: u64,
    /// Reads that the cache answered.
    pub(crate) hits: u64,
    /// Reads that it did not know the answer of.
    pub(crate) misses: u64,
    /// How long requests took.
    pub(crate) took: Spread,
}

/// One sort of answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(
    clippy::struct_field_names,
    reason = "the names that OpenTelemetry gave these labels"
)]
pub(crate) struct Answer {
    pub(crate) http_request_method: &'static str,
    pub(crate) http_route: &'static str,
    pub(crate) http_response_status_code: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStep {
    step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    step: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByQueue {
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCheck {
    check: &'static str,
}

impl Metrics {
    /// Metrics of a build, all at zero, of a process that started at `now`.
    #[must_use]
    pub fn new(version: &'static str, commit: &'static str, now: Timestamp) -> Self {
        let keys = Family::<By, Counter>::default();
        let key = |result| keys.get_or_create_owned(&By { result });
        let reads = Family::<By, Counter>::default();
        let read = |source: Source| {
            let result = source.as_str();
            reads.get_or_create_owned(&By { result })
        };
        let mut metrics = Self {
            registry: Registry::default(),
            durations: Family::new_with_constructor(buckets),
            orders_created: Counter::default(),
            orders_finished: Family::default(),
            attempts: Family::default(),
            attempt_durations: Family::new_with_constructor(buckets),
            keys_new: key("new"),
            keys_replayed: key("replayed"),
            keys_mismatched: key("mismatch"),
            cache_hits: read(Source::Hit),
            cache_misses: read(Source::Miss),
            cache_bypasses: read(Source::Bypass),
            depths: Family::default(),
            ages: Family::default(),
            pending_count: Gauge::default(),
            dead_letter_count: Gauge::default(),
            size_bytes: Gauge::default(),
            violations: Family::default(),
            took: Took::default(),
        };
        for status in ENDS {
            drop(metrics.ended(status));
        }
        metrics.register_requests(keys, reads);
        metrics.register_orders();
        metrics.register_store();
        let build = Info::new([("version", version), ("commit", commit)]);
        metrics
            .registry
            .register("orderd_build", "This build", build);
        let process = Box::new(process::Process::started(now));
        metrics.registry.register_collector(process);
        metrics
    }

    fn register_requests(&mut self, keys: Family<By, Counter>, reads: Family<By, Counter>) {
        self.registry.register(
            "http_server_request_duration_seconds",
            "How long requests took",
            self.durations.clone(),
        );
        self.registry.register(
            "orderd_idempotency_requests",
            "Requests with a key, by outcome",
            keys,
        );
        self.registry.register(
            "orderd_cache_requests",
            "Reads through the cache, by where they were answered",
            reads,
        );
    }

    fn register_orders(&mut self) {
        self.registry.register(
            "orderd_orders_created",
            "Orders placed",
            self.orders_created.clone(),
        );
        self.registry.register(
            "orderd_orders_finished",
            "Orders that came to an end, or need a person, as far as this process brought them there",
            self.orders_finished.clone(),
        );
        self.registry.register(
            "orderd_saga_step_attempts",
            "Calls for money or stock, by what came of them",
            self.attempts.clone(),
        );
        self.registry.register(
            "orderd_saga_step_duration_seconds",
            "How long calls for money or stock took",
            self.attempt_durations.clone(),
        );
        self.registry.register(
            "orderd_invariant_violations",
            "What the last look found, by check",
            self.violations.clone(),
        );
    }

    fn register_store(&mut self) {
        self.registry.register(
            "orderd_queue_depth",
            "Wakes that nobody settled yet, counted up to a bound",
            self.depths.clone(),
        );
        self.registry.register(
            "orderd_queue_oldest_age_seconds",
            "How long the oldest wake has been due that nobody took",
            self.ages.clone(),
        );
        self.registry.register(
            "orderd_outbox_pending",
            "Wakes of all queues that nobody settled yet",
            self.pending_count.clone(),
        );
        self.registry.register(
            "orderd_dead_letters",
            "Dead letters that wait for an operator",
            self.dead_letter_count.clone(),
        );
        self.registry.register(
            "orderd_store_size_bytes",
            "Bytes of the store on disk",
            self.size_bytes.clone(),
        );
    }

    /// Orders placed since the start.
    #[must_use]
    pub fn orders_created(&self) -> u64 {
        self.orders_created.get()
    }

    /// Counts an order that came to an end, or needs a person.
    pub fn finished(&self, status: Status) {
        if ENDS.contains(&status) {
            self.ended(status).inc();
        }
    }

    fn ended(&self, status: Status) -> Counter {
        let status = status.as_str();
        self.orders_finished
            .get_or_create_owned(&ByStatus { status })
    }

    /// Counts a call for money or stock, and what came of it; `None`: it was not made.
    pub fn tried(&self, step: &'static str, outcome: &'static str, took: Option<Duration>) {
        let by = ByOutcome { step, outcome };
        self.attempts.get_or_create(&by).inc();
        if let Some(took) = took {
            let durations = self.attempt_durations.get_or_create(&ByStep { step });
            durations.observe(took.as_secs_f64());
        }
    }

    /// Notes how much the last look found that violates a check.
    pub fn violated(&self, check: Check, count: usize) {
        let check = check.as_str();
        let violations = self.violations.get_or_create(&ByCheck { check });
        violations.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The checks that the last look found violated, and how much it found.
    pub(crate) fn violations(&self) -> impl Iterator<Item = (Check, i64)> {
        let found = |check: Check| {
            let by = ByCheck {
                check: check.as_str(),
            };
            self.violations.get(&by).map_or(0, |count| count.get())
        };
        let counted = Check::ALL.map(|check| (check, found(check)));
        counted.into_iter().filter(|(_, count)| *count > 0)
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        self.durations
            .get_or_create(answer)
            .observe(took.as_secs_f64());
    }

    /// Counts how long a write took to be answered.
    pub(crate) fn took(&self, took: Duration) {
        self.took.note(took);
    }

    /// What was counted so far.
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            orders: self.orders_created.get(),
            completed: self.ended(Status::Completed).get(),
            failed: self.ended(Status::Failed).get() + self.ended(Status::NeedsReview).get(),
            hits: self.cache_hits.get(),
            misses: self.cache_misses.get(),
            took: self.took.so_far(),
        }
    }

    /// Counts a read through the cache.
    pub(crate) fn cached(&self, source: Source) {
        self.of(source).inc();
    }

    /// How many reads were answered from there.
    pub(crate) fn reads(&self, source: Source) -> u64 {
        self.of(source).get()
    }

    fn of(&self, source: Source) -> &Counter {
        match source {
            Source::Hit => &self.cache_hits,
            Source::Miss => &self.cache_misses,
            Source::Bypass => &self.cache_bypasses,
        }
    }

    /// Takes over what the store says of itself at `now`.
    pub(crate) fn note(&self, stats: &Stats, now: Timestamp) {
        let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let queues = [("fulfil", &stats.fulfil), ("announce", &stats.announce)];
        for (queue, waiting) in queues {
            let by = ByQueue { queue };
            self.depths.get_or_create(&by).set(figure(waiting.count));
            self.ages.get_or_create(&by).set(age_s(waiting, now));
        }
        self.pending_count.set(figure(stats.waiting_count()));
        self.dead_letter_count.set(figure(stats.dead_letter_count));
        self.size_bytes.set(figure(stats.size_bytes));
    }

    /// All of it as text.
    pub(crate) fn to_text(&self, format: Format) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a String takes all that is written to it");
        match format {
            Format::OpenMetrics => text,
            Format::Prometheus => prometheus::rewritten(&text),
        }
    }
}

fn buckets() -> Histogram {
    Histogram::new(BUCKETS_S)
}

fn age_s(waiting: &Waiting, now: Timestamp) -> f64 {
    let age_ms = u64::try_from(waiting.age_ms(now)).unwrap_or(0);
    Duration::from_millis(age_ms).as_secs_f64()
}

#[cfg(test)]
mod tests;

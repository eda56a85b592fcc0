//! What is counted of the API, and shown at `/metrics`.
//!
//! Labels are few and known beforehand: a route is its template, never the path that was asked for.

mod took;

pub(crate) use took::Spread;
use took::Took;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::time::Duration;
use store::Stats;
use store::cache::Source;

/// Answers come within a millisecond or so: the usual buckets begin too late.
const BUCKETS_S: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Counters that handlers raise; reading them is `/metrics`.
pub struct Metrics {
    registry: Registry,
    durations: Family<Answer, Histogram, fn() -> Histogram>,
    /// Orders placed, replays not counted.
    pub(crate) orders_created: Counter,
    /// Requests whose idempotency key was free.
    pub(crate) keys_new: Counter,
    /// Requests that were answered as before.
    pub(crate) keys_replayed: Counter,
    /// Requests whose key was used for another request.
    pub(crate) keys_mismatched: Counter,
    cache_hits: Counter,
    cache_misses: Counter,
    cache_bypasses: Counter,
    waiting_count: Gauge,
    size_bytes: Gauge,
    took: Took,
}

/// What was counted up to a moment, for those who draw it.
#[derive(Clone, Default)]
pub(crate) struct Counted {
    /// Orders placed.
    pub(crate) orders: u64,
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

impl Metrics {
    /// Metrics of a build, all at zero.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let durations: Family<Answer, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS_S));
        let keys = Family::<By, Counter>::default();
        let of = |result| keys.get_or_create_owned(&By { result });
        let reads = Family::<By, Counter>::default();
        let read = |source: Source| {
            let result = source.as_str();
            reads.get_or_create_owned(&By { result })
        };
        let metrics = Self {
            registry: Registry::default(),
            durations,
            orders_created: Counter::default(),
            keys_new: of("new"),
            keys_replayed: of("replayed"),
            keys_mismatched: of("mismatch"),
            cache_hits: read(Source::Hit),
            cache_misses: read(Source::Miss),
            cache_bypasses: read(Source::Bypass),
            waiting_count: Gauge::default(),
            size_bytes: Gauge::default(),
            took: Took::default(),
        };
        metrics.registered(keys, reads, version)
    }

    /// Orders placed since the start.
    #[must_use]
    pub fn orders_created(&self) -> u64 {
        self.orders_created.get()
    }

    fn registered(
        mut self,
        keys: Family<By, Counter>,
        reads: Family<By, Counter>,
        version: &'static str,
    ) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "http_server_request_duration_seconds",
            "How long requests took",
            self.durations.clone(),
        );
        registry.register(
            "orderd_orders_created",
            "Orders placed",
            self.orders_created.clone(),
        );
        registry.register(
            "orderd_idempotency_requests",
            "Requests with a key, by outcome",
            keys,
        );
        registry.register(
            "orderd_cache_requests",
            "Reads through the cache, by where they were answered",
            reads,
        );
        registry.register(
            "orderd_outbox_waiting",
            "Wakes of the outbox that nobody settled yet",
            self.waiting_count.clone(),
        );
        registry.register(
            "orderd_store_size_bytes",
            "Bytes of the store on disk",
            self.size_bytes.clone(),
        );
        registry.register(
            "orderd_build",
            "This build",
            Info::new([("version", version)]),
        );
        self
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        self.durations
            .get_or_create(answer)
            .observe(took.as_secs_f64());
    }

    /// Counts how long an answer of the API took.
    pub(crate) fn took(&self, took: Duration) {
        self.took.note(took);
    }

    /// What was counted so far.
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            orders: self.orders_created.get(),
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

    /// All of it in the `OpenMetrics` text format, with the store's own figures where it gives them.
    pub(crate) fn to_text(&self, stats: Option<&Stats>) -> String {
        if let Some(stats) = stats {
            let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            self.waiting_count.set(figure(stats.waiting_count()));
            self.size_bytes.set(figure(stats.size_bytes));
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a String takes all that is written to it");
        text
    }
}

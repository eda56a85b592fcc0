//! The settings as types: a field here and a line in `config.default.toml` make a setting.
//!
//! Where the values come from is in `sources`; here they only become what the program uses.

mod forms;

pub(super) use forms::parse_address;
pub use forms::parse_duration;

use domain::{Currency, Prefix};
use forms::{
    address, currency, duration, header, level, mismatch_status, names, networks, pause, prefix,
    queue, share, topic, trace_url, within,
};
use http::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// All that an operator can choose.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[database]`
    pub database: Database,
    /// `[idempotency]`
    pub idempotency: Idempotency,
    /// `[currency]`
    pub currency: CurrencySettings,
    /// `[api]`
    pub api: Api,
    /// `[limits]`
    pub limits: Limits,
    /// `[access]`
    pub access: Access,
    /// `[rate_limit]`
    pub rate_limit: RateLimit,
    /// `[admin]`
    pub admin: Admin,
    /// `[faults]`
    pub faults: Faults,
    /// `[contracts]`
    pub contracts: Contracts,
    /// `[catalogue]`
    pub catalogue: Catalogue,
    /// `[cache]`
    pub cache: Cache,
    /// `[worker]`
    pub worker: Worker,
    /// `[fulfilment]`
    pub fulfilment: Fulfilment,
    /// `[payments]`
    pub payments: Payments,
    /// `[inventory]`
    pub inventory: Inventory,
    /// `[events]`
    pub events: Events,
    /// `[lambda]`
    pub lambda: Lambda,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[simulated]`
    pub simulated: Simulated,
    /// `[log]`
    pub log: Log,
    /// `[telemetry]`
    pub telemetry: Telemetry,
}

/// The listener and its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where to listen.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Threads that serve requests; 0 is one for each core.
    #[serde(deserialize_with = "within::<_, 0, 1024>")]
    pub workers: usize,
    /// The most connections at a time.
    #[serde(deserialize_with = "within::<_, 1, 1_000_000>")]
    pub connections_max: usize,
    /// For the head of a request.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    /// For the body of a request.
    #[serde(deserialize_with = "duration")]
    pub body_timeout: Duration,
    /// Between two requests of a connection.
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// Whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The field in which they say whose request it is.
    #[serde(deserialize_with = "header")]
    pub client_header: HeaderName,
    /// What stands before every path, as clients know them.
    #[serde(deserialize_with = "prefix")]
    pub base_path: Prefix,
    /// The names under which it may be asked, beside those of this machine.
    #[serde(deserialize_with = "names")]
    pub hosts: Vec<String>,
}

/// The end of the program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// For load balancers to notice.
    #[serde(deserialize_with = "pause")]
    pub delay: Duration,
    /// For requests that are under way.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// Where orders are kept.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The URL.
    pub url: String,
    /// The password for it; empty where it is in the URL, or there is none.
    pub password: String,
    /// Whether there is an index by customer.
    pub customer_index: bool,
    /// The name of the `DynamoDB` table of orders; empty for the one that follows from the URL.
    pub orders_table: String,
}

impl Database {
    /// The URL, with the name of the table of orders where there is one.
    pub fn store_url(&self) -> String {
        let Self {
            url, orders_table, ..
        } = self;
        let is_named = orders_table.is_empty() || url.contains('?');
        if is_named || !url.starts_with("dynamodb:") {
            return url.clone();
        }
        format!("{url}?orders={orders_table}")
    }
}

/// Idempotency keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// Whether `/v1` insists on one.
    pub required: bool,
    /// The status for a key that was used for another request.
    #[serde(deserialize_with = "mismatch_status")]
    pub mismatch_status: u16,
    /// How long a key replays its answer.
    #[serde(deserialize_with = "duration")]
    pub retention: Duration,
    /// How long a key is known at all.
    #[serde(deserialize_with = "duration")]
    pub tombstone_retention: Duration,
}

/// Money.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrencySettings {
    /// The currency of an order that names none.
    #[serde(deserialize_with = "currency")]
    pub default: Currency,
}

/// What holds for all of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Whether a change has to name the version that it is about.
    pub require_if_match: bool,
}

/// Sizes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most bytes of a body.
    #[serde(deserialize_with = "within::<_, 1024, 16_777_216>")]
    pub body_max_bytes: usize,
    /// The most bytes of a batch.
    #[serde(deserialize_with = "within::<_, 1024, 67_108_864>")]
    pub batch_max_bytes: usize,
}

/// Who may do what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// What a request without a token may do.
    pub anonymous: Anonymous,
}

/// What a request without a token may do.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// Write on loopback, nothing elsewhere.
    Auto,
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

/// How often each sender may ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Whether there is a limit.
    pub enabled: Switch,
    /// Requests a second in the long run.
    #[serde(deserialize_with = "within::<_, 1, 1_000_000>")]
    pub per_second: usize,
    /// Requests at once.
    #[serde(deserialize_with = "within::<_, 1, 1_000_000>")]
    pub burst: usize,
}

/// Whether something is on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On where others can reach the address.
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// The admin routes.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Their password; empty where they do not exist.
    pub password: String,
}

/// Faults on demand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Whether the fault header works.
    pub enabled: bool,
}

/// The older wire forms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// Which orders are driven to their end.
    pub fulfil: Fulfil,
}

/// Which orders are driven to their end.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Fulfil {
    /// Those of contracts that know payment.
    Paid,
    /// All.
    All,
}

/// The products.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Whether a line has to name one.
    pub strict: bool,
}

/// The cache in front of the reads.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Whether there is none.
    pub disabled: bool,
    /// How long an answer is kept.
    #[serde(deserialize_with = "duration")]
    pub ttl: Duration,
    /// The most bytes that a process keeps.
    #[serde(deserialize_with = "within::<_, 0, 17_179_869_184>")]
    pub max_bytes: usize,
    /// The Redis that processes share; empty where each keeps its own.
    pub redis_url: String,
}

/// The loop that drains the outbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Whether it runs.
    pub enabled: bool,
    /// The most orders that it takes at a time.
    #[serde(deserialize_with = "within::<_, 1, 1_000>")]
    pub batch: usize,
    /// The most orders that it works on at once.
    #[serde(deserialize_with = "within::<_, 1, 10_000>")]
    pub concurrency: usize,
    /// How long what it took is its own.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    /// The URL of the SQS queue that orders come from; empty where they come from the outbox.
    #[serde(deserialize_with = "queue")]
    pub queue_url: String,
}

/// Topics that are told of events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// The ARN of the topic of all events; empty where there is none.
    #[serde(deserialize_with = "topic")]
    pub topic_arn: String,
    /// The ARN of the topic of orders that are completed; empty where there is none.
    #[serde(deserialize_with = "topic")]
    pub completed_topic_arn: String,
    /// What a message says.
    pub format: EventFormat,
}

/// What a message of an event says.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EventFormat {
    /// The event, as `CloudEvents` 1.0 writes it.
    Cloudevents,
    /// What the older system's messages say.
    Plain,
}

/// The function of AWS Lambda.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lambda {
    /// The namespace of its metrics.
    pub metrics_namespace: String,
    /// What its metrics and logs call it.
    pub service: String,
}

/// How orders are driven to their end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    /// Tries of a step that may fail.
    #[serde(deserialize_with = "within::<_, 1, 1_000>")]
    pub tries: usize,
    /// Tries of a step that has to succeed.
    #[serde(deserialize_with = "within::<_, 1, 1_000>")]
    pub tries_to_end: usize,
    /// The longest wait after the first failure.
    #[serde(deserialize_with = "duration")]
    pub retry_base: Duration,
    /// The longest wait of all.
    #[serde(deserialize_with = "duration")]
    pub retry_max: Duration,
    /// For one call.
    #[serde(deserialize_with = "duration")]
    pub call_timeout: Duration,
    /// The most calls to a provider at once.
    #[serde(deserialize_with = "within::<_, 1, 10_000>")]
    pub calls_max: usize,
    /// For an order to be completed, and again to be undone.
    #[serde(deserialize_with = "duration")]
    pub deadline: Duration,
}

/// Who is asked for money.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// Which service.
    pub provider: PaymentProvider,
    /// Where it is; empty where there is none.
    pub api_url: String,
}

/// Who is asked for stock.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Where the service is; empty where stock is kept here.
    pub api_url: String,
}

/// Who is told of events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Whether they may go to private networks and without TLS.
    pub allow_private: bool,
    /// For one try.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// Which payment service.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum PaymentProvider {
    /// The one at the URL, if there is one; else the simulated one on loopback. Elsewhere it has to
    /// be asked for.
    Auto,
    /// The one at the URL.
    Http,
    /// The simulated one.
    Simulated,
}

/// The simulated providers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulated {
    /// Calls that fail and take no effect.
    #[serde(deserialize_with = "share")]
    pub failure_rate: u32,
    /// Calls that take effect, and nobody is told.
    #[serde(deserialize_with = "share")]
    pub lost_answer_rate: u32,
    /// Calls that never answer.
    #[serde(deserialize_with = "share")]
    pub hang_rate: u32,
    /// Orders whose payment is declined.
    #[serde(deserialize_with = "share")]
    pub decline_rate: u32,
    /// How long an answer takes.
    #[serde(deserialize_with = "within::<_, 0, 60_000>")]
    pub latency_ms: usize,
    /// What happens when depends on it.
    #[serde(deserialize_with = "within::<_, 0, { u32::MAX as u64 }>")]
    pub seed: usize,
    /// The file with the books of the payment service; empty for one beside the database.
    pub books: String,
}

/// Logging.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is logged.
    #[serde(deserialize_with = "level")]
    pub level: String,
    /// How it looks.
    pub format: LogFormat,
}

/// What is there to see of traces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Where a trace is looked at, with `{trace_id}` for its id; empty for nowhere.
    #[serde(deserialize_with = "trace_url")]
    pub trace_url: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    Auto,
    /// One object a line.
    Json,
    /// For people.
    Pretty,
}

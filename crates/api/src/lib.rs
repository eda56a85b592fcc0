//! The HTTP face of orderd: every route, every contract, every problem.
//!
//! Parse, decide, commit, reply. Deciding is `domain`'s, committing `store`'s; nothing else of the
//! program is known in here.

mod access;
mod admin;
mod asyncapi;
mod cached;
mod catalogue;
mod changing;
mod cloud_event;
mod contracts;
mod cursor;
mod dashboard;
mod docs;
mod exported;
mod extract;
mod feed;
mod fields;
mod keyed;
mod layers;
mod metrics;
mod openapi;
mod operations;
mod pages;
mod placing;
mod preconditions;
pub mod problem;
mod renderers;
mod replays;
mod router;
mod settings;
mod v1;

#[cfg(feature = "bench")]
mod bench;

pub use access::{Hosts, Owner, Peer, Proxies, Rate};
pub use asyncapi::asyncapi;
pub use cloud_event::cloud_event;
pub use contracts::{BASKET, EVENT, RECEIPT};
pub use dashboard::{Finding, Inside, ProviderState, SettingShown};
pub use exported::exported;
pub use metrics::Metrics;
pub use openapi::openapi;
pub use router::router;
pub use settings::{Anonymous, PasswordDigest, Settings};

use domain::trace::Tracer;
use domain::{Clock, Ids};
use std::sync::{Arc, OnceLock};
use store::Store;
use store::cache::Cache;
use tokio_util::sync::CancellationToken;

/// What an [`App`] is made of.
pub struct Parts {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// In front of the reads of that store, which outdates it.
    pub cache: Arc<Cache>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<Ids>,
    /// What the operator chose.
    pub settings: Settings,
    /// Signs the cursors of lists; the same for as long as cursors are to be good.
    pub cursor_key: [u8; 32],
}

/// All that a handler may reach.
pub struct App {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// In front of the reads.
    pub cache: Arc<Cache>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<Ids>,
    /// What the operator chose.
    pub settings: Settings,
    /// Signs the cursors of lists.
    pub cursor_key: [u8; 32],
    /// What is counted; shown at `/metrics`.
    pub metrics: Metrics,
    /// Who records spans; `None`: nobody does.
    pub tracer: Option<Arc<dyn Tracer>>,
    /// Cancelled once a stop was asked for: `/readyz` says 503 from then on, and streams end.
    pub stopping: CancellationToken,
    /// What the process can tell of itself; the binary says it once it knows.
    pub inside: OnceLock<Box<dyn Inside>>,
    /// What was counted, as time went by.
    pub(crate) history: dashboard::History,
    /// Tells what is committed.
    pub(crate) feed: Arc<feed::Feed>,
    /// Keeps a store that stays away from filling the log.
    pub(crate) outages: problem::Outages,
    /// How often keys were replayed.
    pub(crate) replays: replays::Replays,
    /// How often everybody asked.
    pub(crate) limiter: access::Limiter,
    /// Who tried wrong tokens and passwords.
    pub(crate) guesses: access::Guesses,
}

impl App {
    /// An app that has counted nothing and stops for nobody yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            cache,
            clock,
            ids,
            settings,
            cursor_key,
        } = parts;
        Self {
            metrics: Metrics::new(settings.version, settings.commit, clock.now()),
            tracer: None,
            stopping: CancellationToken::new(),
            inside: OnceLock::new(),
            history: dashboard::History::new(),
            feed: Arc::new(feed::Feed::new(Arc::clone(&store))),
            outages: problem::Outages::default(),
            replays: replays::Replays::default(),
            limiter: access::Limiter::new(settings.rate),
            guesses: access::Guesses::default(),
            store,
            cache,
            clock,
            ids,
            settings,
            cursor_key,
        }
    }

    /// Counts what happened since it was last called, for the charts: to be done once a second.
    /// Where asking the store is paid for, it is asked only while somebody looks.
    pub async fn sample(&self, store_is_free: bool) {
        self.history.sample(self, store_is_free).await;
    }

    /// What the process can tell of itself, where it says so.
    pub(crate) fn inside(&self) -> Option<&dyn Inside> {
        self.inside.get().map(|inside| &**inside)
    }
}

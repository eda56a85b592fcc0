//! What follows a commit, of a store that many processes share: answers that were kept are outdated,
//! consumers wake, and whoever listens is told, also of what other processes commit.

use crate::cache::Cache;
use crate::others::Known;
use crate::write_sets::Effects;
use crate::{Error, EventQuery, LIVE_MAX, Live, Page};
use async_trait::async_trait;
use domain::{Event, EventId, WriteSet};
use std::sync::Arc;
use tokio::sync::{Mutex, broadcast, oneshot, watch};
use tokio_util::task::TaskTracker;

/// Where the events of all processes are read.
#[async_trait]
pub(crate) trait Journal: Send + Sync {
    /// The newest of all events.
    async fn newest_event(&self) -> Result<Option<EventId>, Error>;

    /// A page of the events of all orders, by their ids.
    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error>;
}

/// Who is told of commits.
pub(crate) struct Afterwards {
    /// What goes on beside whoever asks.
    pub(crate) tasks: TaskTracker,
    cache: Arc<Cache>,
    /// Counts commits after which a consumer may have something to do.
    pub(crate) signal: watch::Sender<u64>,
    /// Tells whoever listens what was committed.
    pub(crate) live: broadcast::Sender<Live>,
    pub(crate) known: Known,
    /// Whether somebody looks for what other processes commit.
    pub(crate) looks: Mutex<bool>,
}

/// What is about to be committed.
pub(crate) struct Expected {
    /// Those of its events that nobody has heard of.
    events: Vec<EventId>,
    /// Whether somebody listens now. Who listens only afterwards asks for what comes after it.
    pub(crate) listened: bool,
}

impl Afterwards {
    pub(crate) fn new(cache: Arc<Cache>) -> Arc<Self> {
        Arc::new(Self {
            tasks: TaskTracker::new(),
            cache,
            signal: watch::Sender::new(0),
            live: broadcast::Sender::new(LIVE_MAX),
            known: Known::default(),
            looks: Mutex::new(false),
        })
    }

    /// Before these are committed.
    pub(crate) fn expect<'w>(&self, write_sets: impl Iterator<Item = &'w WriteSet>) -> Expected {
        Expected {
            events: self.known.add(write_sets),
            listened: self.live.receiver_count() > 0,
        }
    }

    /// They were not committed, or nobody knows. What was told before stays told: write sets may be
    /// committed a second time, in vain.
    pub(crate) fn give_up(&self, expected: &Expected) {
        self.known.remove(&expected.events);
    }

    /// Outdates what these changed, before they are answered; whether a consumer may have something
    /// to do. `announced`: an event wakes somebody.
    pub(crate) async fn outdate(&self, done: &[Arc<WriteSet>], announced: bool) -> bool {
        let changes = done.iter().flat_map(|write_set| &write_set.changes);
        let effects = Effects::of(changes, announced);
        if effects.outdates() {
            let (outdated, waited) = oneshot::channel();
            let outdated = move || outdated.send(()).unwrap_or_default();
            self.cache.outdate(effects.moved, outdated);
            drop(waited.await);
        }
        effects.wakes
    }

    /// After they were answered.
    pub(crate) fn tell(&self, done: Vec<Arc<WriteSet>>, wakes: bool, listened: bool) {
        if wakes {
            self.signal.send_modify(|commits| *commits += 1);
        }
        if listened && !done.is_empty() {
            drop(self.live.send(Live::Group(done.into())));
        }
    }

    /// After everything was removed: no answer that was kept is true any more.
    pub(crate) async fn outdate_all(&self) {
        let (outdated, done) = oneshot::channel();
        self.cache
            .outdate_all(move || outdated.send(()).unwrap_or_default());
        drop(done.await);
        drop(self.live.send(Live::Gap));
    }
}

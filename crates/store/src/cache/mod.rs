//! A cache of rendered bytes in front of the reads: in this process, or shared through Redis.
//!
//! It keeps bytes and knows nothing of what they say. An answer is kept under the *stamp* that its
//! sort of answer had before the store was read, and a change gives new stamps: so what was filled
//! while a change came about lands where nobody looks for it. A backend calls `Cache::outdate`
//! after the COMMIT of a group and before its answers.
//!
//! **Invariant:** whoever was answered reads the effect: his answer left after the stamps moved.

mod local;
mod seal;
mod shared;

pub use shared::{Driver, ping};

use crate::cache::local::Local;
use crate::cache::shared::Shared;
use bytes::Bytes;
use domain::OrderId;
use quick_cache::Weighter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many entries the cache makes room for at first; it grows by weight, not by number.
const ENTRIES: usize = 1_000;
/// What an entry takes beside its bytes.
const ENTRY_BYTES: u64 = 160;

/// Names what is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The list of all orders as the basket contract shows it.
    List,
    /// An order in the words of its own contract.
    Detail(OrderId),
    /// An order in the words of `/v1`.
    V1Detail(OrderId),
    /// The first page of a list of `/v1`, by its query.
    V1List(Box<str>),
}

impl View {
    /// The order that is shown, where it is one: only its own changes outdate it.
    const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Detail(id) | Self::V1Detail(id) => Some(*id),
            Self::List | Self::V1List(_) => None,
        }
    }
}

/// An answer, rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What stands in its head: the `ETag` of an order, the `Link` of a list; may be empty.
    pub head: Box<str>,
    /// Its body: one JSON object.
    pub body: Bytes,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was kept.
    Hit,
    /// It was not, and is now, if there is one.
    Miss,
    /// The cache is off, or away.
    Bypass,
}

impl Source {
    /// The word for it in the header `X-Cache` and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// What the cache can say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// `off`, `in process` or `redis`.
    pub kind: &'static str,
    /// Whether it is used at the moment: Redis may be away.
    pub up: bool,
    /// How many answers this process keeps.
    pub entries: usize,
    /// How many bytes they take.
    pub bytes: u64,
}

/// The time at which an answer was good: two answers of one stamp say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stamp {
    /// Another one where nothing that was kept can be trusted any more.
    era: u64,
    /// How often what is shown was changed in that era.
    version: u64,
}

/// The cache.
pub struct Cache {
    kept: quick_cache::sync::Cache<(View, Stamp), Kept, Weight>,
    stamps: Stamps,
    ttl: Duration,
    /// Spreads the ends of what was kept at one moment.
    spread: AtomicU64,
}

enum Stamps {
    Off,
    Local(Local),
    Shared(Arc<Shared>),
}

#[derive(Clone)]
struct Kept {
    entry: Entry,
    until: Instant,
}

#[derive(Clone)]
struct Weight;

impl Weighter<(View, Stamp), Kept> for Weight {
    fn weight(&self, (view, _): &(View, Stamp), kept: &Kept) -> u64 {
        let query = if let View::V1List(query) = view {
            query.len()
        } else {
            0
        };
        let bytes = query + kept.entry.head.len() + kept.entry.body.len();
        ENTRY_BYTES + u64::try_from(bytes).unwrap_or(u64::MAX / 2)
    }
}

impl Cache {
    /// No cache: every read goes to the store.
    #[must_use]
    pub fn off() -> Self {
        Self::with(Stamps::Off, Duration::ZERO, 0)
    }

    /// In this process, which must be the only one that writes. Keeps at most `bytes_max` bytes, each
    /// answer for about `ttl`.
    #[must_use]
    pub fn in_process(ttl: Duration, bytes_max: u64) -> Self {
        Self::with(Stamps::Local(Local::default()), ttl, bytes_max)
    }

    /// Shared by all processes that use the Redis at `url`. The driver must be run for it to be
    /// used; what Redis says is kept in this process too, up to `bytes_max`.
    ///
    /// # Errors
    /// Where `url` is none that Redis clients understand; Redis itself is not asked.
    pub fn redis(url: &str, ttl: Duration, bytes_max: u64) -> Result<(Self, Driver), String> {
        let (shared, driver) = shared::open(url)?;
        let cache = Self::with(Stamps::Shared(shared), ttl, bytes_max);
        Ok((cache, driver))
    }

    fn with(stamps: Stamps, ttl: Duration, bytes_max: u64) -> Self {
        Self {
            kept: quick_cache::sync::Cache::with_weighter(ENTRIES, bytes_max, Weight),
            stamps,
            ttl,
            spread: AtomicU64::new(0),
        }
    }

    /// The answer that shows `view`, where it is kept; else what `fill` reads, which is kept from now on. Many
    /// who ask at once for what is not there wait for one who reads it.
    ///
    /// # Errors
    /// Those of `fill`; the cache has none of its own.
    pub async fn read<E>(
        &self,
        view: View,
        fill: impl Future<Output = Result<Option<Entry>, E>>,
    ) -> Result<(Option<Entry>, Source), E> {
        let Some(stamp) = self.stamp(&view).await else {
            return Ok((fill.await?, Source::Bypass));
        };
        let place = (view, stamp);
        let guard = loop {
            match self.kept.get_value_or_guard_async(&place).await {
                Ok(kept) if Instant::now() < kept.until => {
                    return Ok((Some(kept.entry), Source::Hit));
                }
                Ok(old) => {
                    let same = |kept: &Kept| kept.until == old.until;
                    self.kept.remove_if(&place, same);
                }
                Err(guard) => break guard,
            }
        };
        let found = match self.shared() {
            Some(shared) => shared.get(&place.0, stamp).await,
            None => None,
        };
        let source = if found.is_some() {
            Source::Hit
        } else {
            Source::Miss
        };
        let Some(entry) = (if found.is_some() { found } else { fill.await? }) else {
            return Ok((None, source));
        };
        if let (Source::Miss, Some(shared)) = (source, self.shared()) {
            shared.put(&place.0, stamp, &entry, self.lifetime()).await;
        }
        let kept = Kept {
            entry: entry.clone(),
            until: Instant::now() + self.lifetime(),
        };
        // Refused only where it was removed meanwhile: then it is read once more.
        drop(guard.insert(kept));
        Ok((Some(entry), source))
    }

    async fn stamp(&self, view: &View) -> Option<Stamp> {
        match &self.stamps {
            Stamps::Off => None,
            Stamps::Local(local) => Some(local.stamp(view)),
            Stamps::Shared(shared) => shared.stamp().await,
        }
    }

    fn shared(&self) -> Option<&Shared> {
        match &self.stamps {
            Stamps::Shared(shared) => Some(shared),
            Stamps::Off | Stamps::Local(_) => None,
        }
    }

    /// Outdates the lists, and the answers that show one of `orders`, then has `answer` run.
    pub(crate) fn outdate(&self, orders: Vec<OrderId>, answer: impl FnOnce() + Send + 'static) {
        match &self.stamps {
            Stamps::Off => answer(),
            Stamps::Local(local) => {
                local.outdate(&orders);
                answer();
            }
            Stamps::Shared(shared) => shared.outdate(orders, Box::new(answer)),
        }
    }

    /// Outdates all, then has `answer` run: nobody can say what changed.
    pub(crate) fn outdate_all(&self, answer: impl FnOnce() + Send + 'static) {
        match &self.stamps {
            Stamps::Off => answer(),
            Stamps::Local(local) => {
                local.outdate_all();
                answer();
            }
            Stamps::Shared(shared) => shared.outdate_all(Box::new(answer)),
        }
    }

    /// Forgets all that is kept, here and in Redis.
    pub async fn flush(&self) {
        match &self.stamps {
            Stamps::Off => {}
            Stamps::Local(local) => local.outdate_all(),
            Stamps::Shared(shared) => shared.flush().await,
        }
        self.kept.clear();
    }

    /// What there is to say of it.
    pub fn stats(&self) -> Stats {
        let (kind, up) = match &self.stamps {
            Stamps::Off => ("off", false),
            Stamps::Local(_) => ("in process", true),
            Stamps::Shared(shared) => ("redis", shared.is_up()),
        };
        Stats {
            kind,
            up,
            entries: self.kept.len(),
            bytes: self.kept.weight(),
        }
    }

    /// The lifetime of what is kept, a tenth shorter to a tenth longer, so that what was kept at one
    /// moment does not end at one.
    fn lifetime(&self) -> Duration {
        const STEPS: u64 = 21;
        let step = self.spread.fetch_add(8, Ordering::Relaxed) % STEPS;
        let percent = 90 + u32::try_from(step).expect("it is below 21");
        self.ttl * percent / 100
    }
}

#[cfg(test)]
mod tests;

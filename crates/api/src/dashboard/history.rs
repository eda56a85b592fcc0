//! What was counted, as time went by: the last two minutes, hour and day of this process, in rings
//! of a fixed size. To look at it costs the same however many orders there are.

use crate::App;
use crate::metrics::Counted;
use domain::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Stats;

/// How long the store is still asked for figures that nobody looks at, and how often it is, where
/// asking costs money.
const WATCHED_MS: i64 = 10_000;
const ASKED_EVERY_MS: i64 = 15_000;
/// How old what the store said may be to be drawn.
const FRESH_MS: i64 = 20_000;

/// A stretch of time that charts can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Span {
    #[default]
    Minutes,
    Hour,
    Day,
}

impl Span {
    pub(super) const ALL: [Self; 3] = [Self::Minutes, Self::Hour, Self::Day];

    /// The word for it in the address of a page.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Minutes => "2m",
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Minutes => "2 minutes",
            Self::Hour => "hour",
            Self::Day => "24 hours",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.as_str() == word)
    }

    /// How long one sample is, in seconds, and how many there are.
    pub(super) const fn samples(self) -> (i64, usize) {
        match self {
            Self::Minutes => (1, 120),
            Self::Hour => (30, 120),
            Self::Day => (600, 144),
        }
    }
}

/// What the store said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Wakes that nobody settled yet.
    pub(super) waiting: u64,
    /// How long the one that is due the longest has been so: of those for the worker, and of those
    /// for webhooks and topics.
    pub(super) fulfil_ms: i64,
    pub(super) announce_ms: i64,
    /// Dead letters that wait for an operator.
    pub(super) letters: u64,
}

impl Figures {
    fn of(stats: &Stats, now: Timestamp) -> Self {
        Self {
            waiting: stats.waiting_count(),
            fulfil_ms: stats.fulfil.age_ms(now),
            announce_ms: stats.announce.age_ms(now),
            letters: stats.dead_letter_count,
        }
    }

    /// How long the one of all that is due the longest has been so.
    pub(super) fn oldest_ms(self) -> i64 {
        self.fulfil_ms.max(self.announce_ms)
    }
}

/// What happened within one sample of a span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// When it ended.
    pub(super) at: Timestamp,
    /// Orders placed, a second.
    pub(super) orders: f64,
    /// How long half of the answers took at the most, and 99 of 100, in ms; without any, nothing.
    pub(super) median_ms: Option<f64>,
    pub(super) slow_ms: Option<f64>,
    /// Orders completed, a second.
    pub(super) completed: f64,
    /// Of those that ended, how many failed: 0 to 1.
    pub(super) failed: Option<f64>,
    /// Of the reads through the cache, how many it answered: 0 to 1.
    pub(super) hits: Option<f64>,
    /// What the store said, if it was asked.
    pub(super) figures: Option<Figures>,
}

/// The samples of one span.
struct Ring {
    span: Span,
    samples: VecDeque<Sample>,
    /// Up to where the newest sample goes.
    since: Option<(Timestamp, Counted)>,
}

/// What was counted, as time went by.
pub(crate) struct History {
    rings: Mutex<[Ring; 3]>,
    /// What the store said last, and when.
    figures: Mutex<Option<(Timestamp, Figures)>>,
    /// When somebody looked last.
    looked_at: AtomicI64,
}

impl History {
    pub(crate) fn new() -> Self {
        let ring = |span| Ring {
            span,
            samples: VecDeque::new(),
            since: None,
        };
        Self {
            rings: Mutex::new(Span::ALL.map(ring)),
            figures: Mutex::default(),
            looked_at: AtomicI64::new(0),
        }
    }

    /// Notes that somebody looks.
    pub(super) fn look(&self, now: Timestamp) {
        self.looked_at.store(now.as_millis(), Ordering::Relaxed);
    }

    /// The samples of a span, the oldest first.
    pub(super) fn samples(&self, span: Span) -> Vec<Sample> {
        let rings = self.rings();
        let ring = rings.iter().find(|ring| ring.span == span);
        ring.map_or_else(Vec::new, |ring| ring.samples.iter().cloned().collect())
    }

    /// What the store said last, if that is not long ago.
    pub(super) fn figures(&self, now: Timestamp) -> Option<Figures> {
        let figures = *self.said();
        figures.and_then(|(at, figures)| {
            let age_ms = now.as_millis() - at.as_millis();
            (0..FRESH_MS).contains(&age_ms).then_some(figures)
        })
    }

    /// Takes a sample, which is to be done once a second. Where asking the store is paid for, it is
    /// asked now and then, and only while somebody looks.
    pub(crate) async fn sample(&self, app: &App, store_is_free: bool) {
        let now = app.clock.now();
        let since = |millis: i64| now.as_millis() - millis;
        let watched = since(self.looked_at.load(Ordering::Relaxed)) < WATCHED_MS;
        let asked_at = self.said().map_or(0, |(at, _)| at.as_millis());
        if (store_is_free || (watched && since(asked_at) >= ASKED_EVERY_MS))
            && let Ok(stats) = app.store.stats().await
        {
            *self.said() = Some((now, Figures::of(&stats, now)));
        }
        let counted = app.metrics.counted();
        let figures = self.figures(now);
        for ring in &mut *self.rings() {
            ring.take(now, &counted, figures);
        }
    }

    fn said(&self) -> MutexGuard<'_, Option<(Timestamp, Figures)>> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rings(&self) -> MutexGuard<'_, [Ring; 3]> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn take(&mut self, now: Timestamp, counted: &Counted, figures: Option<Figures>) {
        let (seconds, samples_max) = self.span.samples();
        let Some((since, before)) = &self.since else {
            self.since = Some((now, counted.clone()));
            return;
        };
        let millis = now.as_millis() - since.as_millis();
        // A tick comes a little early or late; and a clock that was set back begins anew.
        if (0..seconds * 1_000 - 500).contains(&millis) {
            return;
        }
        if millis > 0 {
            let sample = Sample::between(before, counted, now, millis, figures);
            self.samples.push_back(sample);
            if self.samples.len() > samples_max {
                self.samples.pop_front();
            }
        }
        self.since = Some((now, counted.clone()));
    }
}

impl Sample {
    fn between(
        was: &Counted,
        is: &Counted,
        at: Timestamp,
        millis: i64,
        figures: Option<Figures>,
    ) -> Self {
        let since = |was: u64, is: u64| is.saturating_sub(was);
        let completed = since(was.completed, is.completed);
        let failed = since(was.failed, is.failed);
        let (hits, misses) = (since(was.hits, is.hits), since(was.misses, is.misses));
        let took = is.took.since(&was.took);
        Self {
            at,
            orders: real(since(was.orders, is.orders)) * 1_000.0 / real(millis.unsigned_abs()),
            median_ms: took.quantile_ms(0.5),
            slow_ms: took.quantile_ms(0.99),
            completed: real(completed) * 1_000.0 / real(millis.unsigned_abs()),
            failed: share(failed, completed + failed),
            hits: share(hits, hits + misses),
            figures,
        }
    }
}

/// A part of a whole; nothing where there is no whole.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| real(part) / real(whole))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "two or three figures of it are shown"
)]
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;

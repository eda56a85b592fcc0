//! Keeps a provider that is slow or away from taking the worker with it: a deadline for each call,
//! a bound on calls at once, and a circuit breaker (Nygard, *Release It!*, 2007).

use super::{Provider, State};
use async_trait::async_trait;
use domain::fulfil::{Answer, Call};
use domain::{Clock, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{info, warn};

/// So many calls that fail one after the other open the breaker.
const FAILURES_MAX: u32 = 20;
/// How long an open breaker lets nothing through at first; it doubles while the provider is away.
const OPEN_MS: i64 = 1_000;
/// How long it lets nothing through at the most.
const OPEN_MAX_MS: i64 = 30_000;
/// How long whoever finds no place among the calls at once waits.
const CROWDED_MS: i64 = 50;

/// A provider behind its guards.
pub struct Guarded<P> {
    inner: P,
    clock: Arc<dyn Clock>,
    name: &'static str,
    deadline: Duration,
    places: Semaphore,
    calls_max: usize,
    breaker: Mutex<Breaker>,
}

/// Lets calls through, or none, or one to see whether the provider is back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Breaker {
    /// Failures since the last success.
    failures: u32,
    /// Nothing gets through before; `None` where it is closed.
    open_until: Option<Timestamp>,
    /// How long it was opened for last, in ms.
    open_ms: i64,
    /// Whether one call is under way to see.
    probing: bool,
}

impl<P: Provider> Guarded<P> {
    /// Guards `inner`, which people know as `name`.
    #[must_use]
    pub fn new(
        inner: P,
        clock: Arc<dyn Clock>,
        name: &'static str,
        deadline: Duration,
        calls_max: usize,
    ) -> Self {
        Self {
            inner,
            clock,
            name,
            deadline,
            places: Semaphore::new(calls_max),
            calls_max,
            breaker: Mutex::default(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, failed: bool) {
        let (mut breaker, now) = (self.breaker(), self.clock.now());
        let was_open = breaker.open_until.is_some();
        breaker.learn(failed, now);
        match (was_open, breaker.open_until.is_some()) {
            (false, true) => warn!("The {} provider is left alone for a while", self.name),
            (true, false) => info!("The {} provider is back", self.name),
            _ => {}
        }
    }
}

#[async_trait]
impl<P: Provider> Provider for Guarded<P> {
    async fn call(&self, call: &Call) -> Answer {
        if let Err(wait_ms) = self.breaker().admit(self.clock.now()) {
            return Answer::NotTried(wait_ms);
        }
        let Ok(_place) = self.places.try_acquire() else {
            self.breaker().probing = false;
            return Answer::NotTried(CROWDED_MS);
        };
        let answer = timeout(self.deadline, self.inner.call(call))
            .await
            .unwrap_or_else(|_elapsed| {
                let seconds = self.deadline.as_secs_f32();
                Answer::Failed(format!("no answer within {seconds} s").into(), None)
            });
        self.learn(matches!(answer, Answer::Failed(..)));
        answer
    }

    fn state(&self) -> Option<State> {
        let breaker = *self.breaker();
        let now = self.clock.now();
        let left = |until: Timestamp| (until.as_millis() - now.as_millis()).max(0);
        Some(State {
            name: self.name,
            failures: breaker.failures,
            open_for_ms: breaker.open_until.map(left),
            calls: self.calls_max - self.places.available_permits(),
            calls_max: self.calls_max,
        })
    }
}

impl Breaker {
    /// Whether a call gets through at `now`; if not, how many ms to wait.
    fn admit(&mut self, now: Timestamp) -> Result<(), i64> {
        let Some(until) = self.open_until else {
            return Ok(());
        };
        if now < until {
            return Err(until.as_millis() - now.as_millis());
        }
        if self.probing {
            return Err(OPEN_MS);
        }
        self.probing = true;
        Ok(())
    }

    fn learn(&mut self, failed: bool, now: Timestamp) {
        if !failed {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let probed = std::mem::take(&mut self.probing);
        if probed || (self.open_until.is_none() && self.failures >= FAILURES_MAX) {
            self.open_ms = (2 * self.open_ms).clamp(OPEN_MS, OPEN_MAX_MS);
            self.open_until = Some(now.plus_millis(self.open_ms));
        }
    }
}

#[cfg(test)]
mod tests;

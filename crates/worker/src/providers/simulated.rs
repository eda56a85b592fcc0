//! A payment or inventory service that is not there: it fails as real ones do, as often as it is
//! told to.

use super::Provider;
use super::books::Books;
use async_trait::async_trait;
use domain::Clock;
use domain::fulfil::{Answer, Call, CallKind, Refused};
use domain::scatter::scatter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How it behaves. Shares are parts of a million calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// How many calls fail before they take effect.
    pub failures: u32,
    /// How many calls take effect, and their answer is lost.
    pub lost_answers: u32,
    /// How many calls get no answer at all, and take no effect.
    pub hangs: u32,
    /// How many orders are declined.
    pub declines: u32,
    /// How long an answer takes.
    pub latency: Duration,
    /// What it does when depends on this, and on the calls before.
    pub seed: u64,
}

/// What is said where an answer is lost: whoever serves this over a network lets it break off.
pub const LOST: &str = "the answer was lost: simulated";

/// All of a million.
pub const MILLION: u32 = 1_000_000;

/// A service that behaves so.
pub struct Simulated {
    behaviour: Behaviour,
    /// `None` for one that keeps none: it fails at times, and else says yes.
    books: Option<Arc<Books>>,
    clock: Arc<dyn Clock>,
    calls: AtomicU64,
}

impl Simulated {
    /// A service that keeps `books`, or none.
    #[must_use]
    pub fn new(behaviour: Behaviour, books: Option<Arc<Books>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            behaviour,
            books,
            clock,
            calls: AtomicU64::new(0),
        }
    }

    /// Whether an order is declined: always the same for one order.
    fn declines(&self, call: &Call) -> bool {
        let (high, low) = call.order_id.as_uuid().as_u64_pair();
        let draw = scatter(self.behaviour.seed ^ high ^ scatter(low));
        call.kind == CallKind::Authorise
            && draw % u64::from(MILLION) < self.behaviour.declines.into()
    }
}

#[async_trait]
impl Provider for Simulated {
    async fn call(&self, call: &Call) -> Answer {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let draw = |what: u64| scatter(self.behaviour.seed ^ scatter(4 * number + what));
        let happens = |what: u64, share: u32| draw(what) % u64::from(MILLION) < share.into();
        if !self.behaviour.latency.is_zero() {
            sleep(self.behaviour.latency).await;
        }
        if happens(0, self.behaviour.hangs) {
            return std::future::pending().await;
        }
        if happens(1, self.behaviour.failures) {
            return Answer::Failed("503: simulated".into(), None);
        }
        if self.declines(call) {
            return Answer::Refused(Refused::Declined, "simulated".into());
        }
        let books = self.books.as_ref();
        let answer = books.map_or(Answer::Done, |books| books.apply(call, self.clock.now()));
        if happens(2, self.behaviour.lost_answers) {
            return Answer::Failed(LOST.into(), None);
        }
        answer
    }
}

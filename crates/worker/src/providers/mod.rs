//! Payment and inventory services.

pub mod books;
pub mod guarded;
pub mod http;
pub mod simulated;

use async_trait::async_trait;
use domain::fulfil::{Answer, Call};

/// A service that is asked for money or stock.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Asks. Asking again under the same effect id takes effect no second time.
    async fn call(&self, call: &Call) -> Answer;

    /// How it is doing, for people; nothing where nobody keeps an eye on it.
    fn state(&self) -> Option<State> {
        None
    }
}

/// How a provider is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What people call it.
    pub name: &'static str,
    /// Calls that failed since the last that did not.
    pub failures: u32,
    /// In how many ms its breaker lets a call through again, 0 where that is now; `None` where it
    /// is closed.
    pub open_for_ms: Option<i64>,
    /// Calls that are under way.
    pub calls: usize,
    /// The most calls at once.
    pub calls_max: usize,
}

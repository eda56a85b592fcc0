//! Payment and inventory services.

pub mod books;
pub mod guarded;
pub mod simulated;

use async_trait::async_trait;
use domain::fulfil::{Answer, Call};

/// A service that is asked for money or stock.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Asks. Asking again under the same effect id takes effect no second time.
    async fn call(&self, call: &Call) -> Answer;
}

/// A service that says yes to everything.
pub struct Willing;

#[async_trait]
impl Provider for Willing {
    async fn call(&self, _call: &Call) -> Answer {
        Answer::Done
    }
}

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
}

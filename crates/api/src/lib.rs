//! The HTTP face of orderd: every route, every contract, every problem.
//!
//! Parse, decide, commit, reply. Deciding is `domain`'s, committing `store`'s; nothing else of the
//! program is known in here.

use domain::idempotency::Retention;
use domain::{Clock, Currency, Ids};
use std::sync::Arc;
use store::Store;

/// All that a handler may reach.
pub struct App {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<Ids>,
    /// What the operator chose.
    pub settings: Settings,
}

/// What the operator chose of the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The version of this build, for `/openapi.json` and metrics.
    pub version: &'static str,
    /// Whether `POST /v1/orders` insists on an `Idempotency-Key`.
    pub idempotency_required: bool,
    /// The status for a key that was used for another request: 409, or 422 as the IETF draft has it.
    pub idempotency_mismatch_status: u16,
    /// How long keys are remembered.
    pub retention: Retention,
    /// The currency of an order that names none.
    pub default_currency: Currency,
    /// The most bytes of a request body.
    pub body_max_bytes: usize,
    /// The most bytes of a batch.
    pub batch_max_bytes: usize,
    /// How long a client may take to send a body, in milliseconds.
    pub body_timeout_ms: u64,
    /// Whether `X-Debug-Fail-After-Commit` works.
    pub faults_enabled: bool,
    /// Whether orders of the older contracts are fulfilled as well.
    pub fulfil_all_contracts: bool,
}

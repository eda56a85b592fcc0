//! What the operator chose of the API. Reading it from files and the environment is the binary's.

use crate::access::{Hosts, Proxies, Rate};
use domain::fulfil::Rules;
use domain::idempotency::Retention;
use domain::product::Lines;
use domain::webhook::target::Reach;
use domain::{Currency, Prefix};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// What the operator chose of the API.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch that the operator has"
)]
pub struct Settings {
    /// The commit that this build was made from, for metrics.
    pub commit: &'static str,
    /// The version of this build, for `/openapi.json` and metrics.
    pub version: &'static str,
    /// How orders are fulfilled here.
    pub rules: Rules,
    /// How long after its placing fulfilment looks at an order by itself, in ms: not at once where it
    /// is told by a queue.
    pub fulfil_after_ms: i64,
    /// Whether `POST /v1/orders` insists on an `Idempotency-Key`.
    pub idempotency_required: bool,
    /// The status for a key that was used for another request: 409, or 422 as the IETF draft has it.
    pub idempotency_mismatch_status: u16,
    /// How long keys are remembered.
    pub retention: Retention,
    /// The currency of an order that names none.
    pub default_currency: Currency,
    /// What the lines of an order may be about.
    pub order_lines: Lines,
    /// Whether what has an `ETag` is changed only by who names it.
    pub require_if_match: bool,
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
    /// What a request without a token may do.
    pub anonymous: Anonymous,
    /// Under which names those may ask who come without a token.
    pub hosts: Hosts,
    /// What stands before every path, where no proxy says otherwise.
    pub base_path: Prefix,
    /// Who speaks for others.
    pub trusted_proxies: Proxies,
    /// How often each principal may ask; without one, as often as it likes.
    pub rate: Option<Rate>,
    /// Where webhooks may go.
    pub webhook_reach: Reach,
    /// Where a trace is looked at, with `{trace_id}` for its id; empty for nowhere.
    pub trace_url: String,
    /// The password of the admin routes; without one there are none.
    pub admin_password: Option<PasswordDigest>,
}

/// What a request without a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anonymous {
    /// Nothing but ask for health.
    None,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

/// A password, kept as its SHA-256 so that it can neither be printed nor timed.
#[derive(Clone)]
pub struct PasswordDigest([u8; 32]);

impl PasswordDigest {
    /// The digest of `password`.
    #[must_use]
    pub fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// Whether `password` is the one; takes the same time for every wrong one.
    #[must_use]
    pub fn matches(&self, password: &[u8]) -> bool {
        let Self(other) = Self::of(password);
        self.0.ct_eq(&other).into()
    }
}

impl fmt::Debug for PasswordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordDigest(***)")
    }
}

//! Who asks, what they may do, and how often.
//!
//! A token says who; without one everybody is anonymous, and may do what the operator chose.

mod foreign;
mod proxies;

pub use foreign::Hosts;
pub use proxies::Proxies;

use crate::problem::{Code, Problem};
use crate::settings::{Anonymous, Settings};
use crate::{App, dashboard};
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use domain::idempotency::Principal;
use domain::token::{self, TokenScope};
use domain::{Prefix, RecordId, RecordKind, Timestamp};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Wrong tokens and passwords that a source may send in a minute.
const WRONG_MAX: u32 = 5;
const MINUTE_US: i64 = 60_000_000;
/// The most principals and sources that are counted. Who is at rest is forgotten first.
const COUNTED_MAX: usize = 100_000;

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Where a request came from; the listener says so in the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// In the extensions of a request: it comes from the process that owns the store, which may do
/// everything. Nothing that arrives over a connection has it.
#[derive(Clone, Copy, Debug)]
pub struct Owner;

/// Whoever is counted: a token, or an address for all that come without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Token(Box<str>),
    /// Of IPv6, the 64 bits that one customer of a provider has to himself.
    Source([u8; 16]),
}

impl Who {
    /// The source of a request; requests within the process have one in common.
    pub(crate) fn source(app: &App, request: &Request) -> Self {
        let peer = request.extensions().get::<Peer>();
        let proxies = &app.settings.trusted_proxies;
        let client = peer.map(|Peer(address)| proxies.client(*address, request.headers()));
        Self::Source(match client {
            None => [0; 16],
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
            Some(IpAddr::V6(address)) => {
                let mut octets = address.octets();
                if address.to_ipv4_mapped().is_none() {
                    octets[8..].fill(0);
                }
                octets
            }
        })
    }
}

/// What stands before the paths of a request, as its client knows them: what a trusted proxy says,
/// else what is configured.
pub(crate) fn prefix(app: &App, request: &Request) -> Prefix {
    let Settings {
        trusted_proxies,
        base_path,
        ..
    } = &app.settings;
    let peer = request.extensions().get::<Peer>();
    let said = peer.and_then(|Peer(peer)| trusted_proxies.prefix(*peer, request.headers()));
    said.unwrap_or_else(|| base_path.clone())
}

/// Who asks, and what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) principal: Principal,
    /// `None`: no more than health.
    pub(crate) scope: Option<TokenScope>,
    pub(crate) who: Who,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    Nothing,
    Scope(TokenScope),
    /// The handler asks for a password, or for a token of scope admin.
    Password,
}

impl Needed {
    pub(crate) fn of(method: &Method, route: &str) -> Self {
        if is_health(route) || dashboard::is_open(route) {
            return Self::Nothing;
        }
        if route.starts_with("/admin/") {
            return Self::Password;
        }
        if route.starts_with("/v1/tokens") {
            return Self::Scope(TokenScope::Admin);
        }
        // The URL of a webhook may be a secret of its own, and settings say where everything is.
        if route.starts_with("/v1/webhooks") || route == "/ui/system" {
            return Self::Scope(TokenScope::Write);
        }
        Self::Scope(match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => TokenScope::Read,
            _ => TokenScope::Write,
        })
    }
}

pub(crate) fn is_health(route: &str) -> bool {
    matches!(
        route,
        "/livez" | "/readyz" | "/health" | "/healthz" | "/-/healthy"
    )
}

/// Whoever comes without a token.
pub(crate) fn anonymous(app: &App, request: &Request) -> Identity {
    let owner = request.extensions().get::<Owner>().is_some();
    let scope = match app.settings.anonymous {
        _ if owner => Some(TokenScope::Admin),
        Anonymous::None => None,
        Anonymous::Read => Some(TokenScope::Read),
        Anonymous::Write => Some(TokenScope::Write),
    };
    Identity {
        principal: Principal::anonymous(),
        scope,
        who: Who::source(app, request),
    }
}

/// Whoever the token of a request stands for.
pub(crate) async fn authenticate(
    app: &App,
    header: &HeaderValue,
    source: &Who,
) -> Result<Identity, Problem> {
    app.guesses.may_try(app, source)?;
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let known = match token {
        Some(token) => find(app, token).await?,
        None => None,
    };
    let Some(token) = known else {
        app.guesses.was_wrong(app, source);
        return Err(Problem::new(
            Code::Unauthorized,
            "Authorization is not `Bearer` and a token that is known here.",
        ));
    };
    let id = token.id.to_string();
    Ok(Identity {
        principal: Principal::new(&id),
        scope: Some(token.scope),
        who: Who::Token(id.into()),
    })
}

async fn find(app: &App, token: &str) -> Result<Option<token::Token>, Problem> {
    let id = RecordId {
        kind: RecordKind::Token,
        id: token::digest(token.as_bytes()).into(),
    };
    let records = app.store.records(&[id]).await?;
    records
        .into_iter()
        .flatten()
        .next()
        .map(|record| crate::v1::tokens::decode(&record))
        .transpose()
}

/// Whether `identity` may do what needs `needed`. Who shows a token means it; without one it may be a
/// browser that asks, for a page of others.
pub(crate) fn authorize(
    app: &App,
    identity: &Identity,
    needed: Needed,
    request: &Request,
) -> Result<(), Problem> {
    let with_token = request.headers().contains_key(AUTHORIZATION);
    let wanted = match needed {
        Needed::Nothing => return Ok(()),
        Needed::Password if !with_token => return Ok(()),
        Needed::Password => TokenScope::Admin,
        Needed::Scope(scope) => scope,
    };
    check_scope(identity.scope, wanted, with_token)?;
    if with_token {
        return Ok(());
    }
    foreign::refuse(&app.settings.hosts, request)
}

/// Whether whoever has `scope`, with a token or without one, may do what needs `wanted`.
pub(crate) fn check_scope(
    scope: Option<TokenScope>,
    wanted: TokenScope,
    with_token: bool,
) -> Result<(), Problem> {
    if scope >= Some(wanted) {
        return Ok(());
    }
    let wanted = wanted.as_str();
    Err(if with_token {
        Problem::new(
            Code::Forbidden,
            format!("This needs a token of scope {wanted}."),
        )
    } else {
        Problem::new(
            Code::Unauthorized,
            format!("This needs Authorization: Bearer and a token of scope {wanted}."),
        )
    })
}

/// How often a principal may ask: so many times a second, and a burst at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run, at least 1.
    pub per_second: u32,
    /// Requests at once, at least 1.
    pub burst: u32,
}

/// Counts the requests of each principal, where there is a limit.
pub(crate) struct Limiter(Option<(Rate, Buckets)>);

/// How much is left to a principal, for the head of its answer.
pub(crate) struct Left {
    rate: Rate,
    bucket: Bucket,
}

impl Limiter {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(|rate| {
            let interval_us = 1_000_000 / i64::from(rate.per_second.max(1));
            (rate, Buckets::new(interval_us, rate.burst))
        }))
    }

    /// Counts a request; `None` where there is no limit.
    pub(crate) fn take(&self, app: &App, who: &Who) -> Option<Left> {
        let (rate, buckets) = self.0.as_ref()?;
        let bucket = buckets.take(who, app.clock.now());
        Some(Left {
            rate: *rate,
            bucket,
        })
    }
}

impl Left {
    /// A problem where the request was one too many.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        match self.bucket {
            Bucket::Empty { wait_us } => Err(limited(
                wait_us,
                "You send more requests than this service takes from one sender.",
            )),
            Bucket::Left { .. } => Ok(()),
        }
    }

    /// The fields of draft-ietf-httpapi-ratelimit-headers-10.
    pub(crate) fn write_to(&self, headers: &mut HeaderMap) {
        let Rate { per_second, burst } = self.rate;
        let window = seconds(i64::from(burst) * 1_000_000 / i64::from(per_second.max(1)));
        let (left, full_us) = match self.bucket {
            Bucket::Left { left, full_us } => (left, full_us),
            Bucket::Empty { .. } => (0, i64::from(burst) * 1_000_000 / i64::from(per_second)),
        };
        let policy = format!("\"default\";q={burst};w={window}");
        let state = format!("\"default\";r={left};t={}", seconds(full_us));
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            let value = HeaderValue::from_str(&value).expect("numbers are ASCII");
            headers.insert(name, value);
        }
    }
}

/// Counts wrong tokens and passwords of each source, so that nobody finds one by trying.
pub(crate) struct Guesses(Buckets);

impl Default for Guesses {
    fn default() -> Self {
        Self(Buckets::new(MINUTE_US / i64::from(WRONG_MAX), WRONG_MAX))
    }
}

impl Guesses {
    /// Whether a source may try another token or password now.
    pub(crate) fn may_try(&self, app: &App, source: &Who) -> Result<(), Problem> {
        match self.0.look(source, app.clock.now()) {
            Bucket::Left { .. } => Ok(()),
            Bucket::Empty { wait_us } => Err(limited(
                wait_us,
                "Too many wrong tokens or passwords came from your address.",
            )),
        }
    }

    pub(crate) fn was_wrong(&self, app: &App, source: &Who) {
        self.0.take(source, app.clock.now());
    }
}

fn limited(wait_us: i64, detail: &'static str) -> Problem {
    Problem::new(Code::RateLimited, detail).retry_after(seconds(wait_us))
}

/// Whole seconds, at least one, that are not too few.
fn seconds(us: i64) -> u32 {
    u32::try_from((us.max(1) + 999_999) / 1_000_000).unwrap_or(u32::MAX)
}

/// What a bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bucket {
    Left { left: i64, full_us: i64 },
    Empty { wait_us: i64 },
}

/// A token bucket each, as one time a bucket: when it will be full again (GCRA).
struct Buckets {
    interval_us: i64,
    span_us: i64,
    full_at: Mutex<HashMap<Who, i64>>,
}

impl Buckets {
    fn new(interval_us: i64, burst: u32) -> Self {
        Self {
            interval_us,
            span_us: interval_us * i64::from(burst),
            full_at: Mutex::default(),
        }
    }

    /// What a bucket holds.
    fn look(&self, who: &Who, now: Timestamp) -> Bucket {
        let full_us = self.full_us(&mut self.full_at(), who, now);
        self.bucket(full_us)
    }

    /// Takes one out of a bucket, if there is one.
    fn take(&self, who: &Who, now: Timestamp) -> Bucket {
        let mut full_at = self.full_at();
        let full_us = self.full_us(&mut full_at, who, now);
        let before = self.bucket(full_us);
        if let Bucket::Empty { .. } = before {
            return before;
        }
        let now_us = now.as_millis() * 1_000;
        if full_at.len() >= COUNTED_MAX && !full_at.contains_key(who) {
            full_at.retain(|_, full_at| *full_at > now_us);
            // All of them are busy: an attack. Starting over lets each burst once more.
            if full_at.len() >= COUNTED_MAX {
                full_at.clear();
            }
        }
        let full_us = full_us + self.interval_us;
        full_at.insert(who.clone(), now_us + full_us);
        let left = (self.span_us - full_us) / self.interval_us;
        Bucket::Left { left, full_us }
    }

    /// In how long a bucket is full. A clock that was set back makes nobody wait for longer than
    /// an empty bucket does.
    fn full_us(&self, full_at: &mut HashMap<Who, i64>, who: &Who, now: Timestamp) -> i64 {
        let now_us = now.as_millis() * 1_000;
        let Some(full_at) = full_at.get_mut(who) else {
            return 0;
        };
        *full_at = (*full_at).min(now_us + self.span_us);
        (*full_at - now_us).max(0)
    }

    fn bucket(&self, full_us: i64) -> Bucket {
        let left = (self.span_us - full_us) / self.interval_us;
        if left < 1 {
            let wait_us = full_us + self.interval_us - self.span_us;
            return Bucket::Empty { wait_us };
        }
        Bucket::Left { left, full_us }
    }

    fn full_at(&self) -> MutexGuard<'_, HashMap<Who, i64>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

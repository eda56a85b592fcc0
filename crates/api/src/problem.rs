//! A failed request as the client sees it (RFC 9457), and the only place that maps to a status.
//!
//! A handler returns a `Problem`; the outermost layer writes it out, since only it knows the
//! request id for certain. What is inside of the service never shows in a 5xx.

mod code;
pub(crate) mod pages;

pub use code::Code;

use crate::App;
use crate::layers::RequestId;
use axum::body::Body;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::trace::Trace;
use domain::{Prefix, Refusal, Status, Timestamp};
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tracing::{error, warn};
use utoipa::ToSchema;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A failed request.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    status: u16,
    detail: Cow<'static, str>,
    errors: Vec<Fault>,
    cause: Option<Arc<store::Error>>,
    retry_after_s: Option<u32>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// The field, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// The query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// What is wrong with it, and what would be right.
    pub(crate) detail: Cow<'static, str>,
    /// The sort of fault, for programs.
    pub(crate) code: &'static str,
}

/// The body of every failed request.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// Where this sort of problem is explained.
    #[serde(rename = "type")]
    kind: String,
    /// This sort of problem, in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong here.
    detail: &'a str,
    /// This very failure.
    instance: String,
    /// This sort of problem, for programs; never changes.
    code: &'static str,
    /// Whether the same request, with the same idempotency key, may succeed later.
    retryable: bool,
    /// The request id, as in the headers and in the log.
    request_id: &'a str,
    /// The trace that the request belongs to, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// Everything that is wrong with the request, where more can be said than `detail` does.
    errors: &'a [Fault],
    /// The same text as `detail`.
    error: &'a str,
    /// The same text as `detail`.
    message: &'a str,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let status = code.row().status;
        Self {
            code,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            cause: None,
            retry_after_s: None,
        }
    }

    /// A problem of `code` whose detail sums up `errors`, of which there is at least one.
    pub(crate) fn of_faults(code: Code, errors: Vec<Fault>) -> Self {
        let first = errors.first().expect("the caller found a fault");
        let place = first.pointer.as_ref().or(first.parameter.as_ref());
        let more = match errors.len() - 1 {
            0 => String::new(),
            others => format!(" ({others} more in errors)"),
        };
        let detail = format!(
            "{}: {}{more}",
            place.map_or("", |place| place),
            first.detail
        );
        Self {
            errors,
            ..Self::new(code, detail)
        }
    }

    /// The same problem under another status, where the operator chose one.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same problem, told with other words first.
    pub(crate) fn beginning_with(self, words: &str) -> Self {
        let detail = format!("{words} {}", self.detail).into();
        Self { detail, ..self }
    }

    /// The same problem, worth a retry after so many seconds.
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        let retry_after_s = Some(seconds);
        Self {
            retry_after_s,
            ..self
        }
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// Whether the store could not be asked: nothing else can be done either, for now.
    pub(crate) fn is_of_the_store(&self) -> bool {
        let is_away = |cause: &Arc<store::Error>| !matches!(**cause, store::Error::Corrupt(_));
        self.cause.as_ref().is_some_and(is_away)
    }

    /// This sort of problem, in a few words.
    pub(crate) fn title(&self) -> &'static str {
        self.code.row().title
    }

    /// What went wrong here.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The body of the answer.
    pub(crate) fn to_json(
        &self,
        request_id: &str,
        trace: Option<Trace>,
        prefix: &Prefix,
    ) -> Vec<u8> {
        let row = self.code.row();
        let document = Document {
            kind: format!("{prefix}/problems/{}", self.code.path()),
            title: row.title,
            status: self.status,
            detail: &self.detail,
            instance: instance(request_id),
            code: row.code,
            retryable: row.is_retryable(),
            request_id,
            trace_id: trace.map(|trace| trace.name().to_string()),
            errors: &self.errors,
            error: &self.detail,
            message: &self.detail,
        };
        serde_json::to_vec(&document).expect("texts and numbers can always be written")
    }

    /// Makes `response`, which came with this problem, the answer that the client gets.
    pub(crate) fn write_to(
        &self,
        response: &mut Response,
        request_id: &RequestId,
        trace: Option<Trace>,
        prefix: &Prefix,
    ) {
        *response.body_mut() = Body::from(self.to_json(request_id.as_str(), trace, prefix));
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        for (name, value) in more_headers(self.code) {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
    }

    /// Logs what the client is not told. A store that stays away is logged once a second.
    pub(crate) fn report(&self, app: &App, request_id: &str) {
        let Some(cause) = &self.cause else { return };
        match &**cause {
            store::Error::Corrupt(_) => {
                error!(request_id, error = %Chain(cause), "The store holds what cannot be");
            }
            store::Error::Unavailable(_) | store::Error::Unknown(_) => {
                if app.outages.is_news(app.clock.now()) {
                    warn!(request_id, error = %Chain(cause), "The store failed; clients get 503");
                }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::CONFLICT);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The problem of an order that cannot move like that.
fn illegal(from: Status, to: Status) -> Problem {
    let allowed: Vec<&str> = from.allowed().iter().map(|to| to.as_str()).collect();
    let allowed = match allowed[..] {
        [] => "nothing".to_owned(),
        _ => allowed.join(", "),
    };
    let instead = match (from, to) {
        (Status::Completed, Status::Cancelled) => " Refund it instead.",
        (Status::Created, Status::Refunded) => " Cancel it instead.",
        _ => "",
    };
    let (from, to) = (from.as_str(), to.as_str());
    Problem::new(
        Code::IllegalTransition,
        format!(
            "The order is {from} and cannot become {to} now; from there it can become: \
             {allowed}.{instead}"
        ),
    )
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AmountOverflow => Self::new(
                Code::AmountOverflow,
                "The total of the order is beyond the largest amount.",
            ),
            Refusal::PriceChanged { expected, actual } => Self::new(
                Code::PriceChanged,
                format!(
                    "The order comes to {} minor units, not to the expected {}.",
                    actual.as_minor(),
                    expected.as_minor()
                ),
            ),
            Refusal::ItemUnknown { line_number } => Self::new(
                Code::ItemUnknown,
                format!("Line {line_number} names no product of the catalogue."),
            ),
            Refusal::CurrencyMixed { order, line } => Self::new(
                Code::CurrencyMixed,
                format!("A product is priced in {line}, and the order is in {order}."),
            ),
            Refusal::UnderFulfilment { status } => Self::new(
                Code::IllegalTransition,
                format!(
                    "The order is under fulfilment and {}; only an order that is recorded only, \
                     or that has ended, can be changed so.",
                    status.as_str()
                ),
            ),
            Refusal::StockHeld { reserved } => Self::new(
                Code::StockHeld,
                format!("There are not so many to take: {reserved} are held for orders."),
            ),
            Refusal::RefundTooLarge { left } => Self::new(
                Code::RefundTooLarge,
                match left.as_minor() {
                    ..=0 => "All that was taken is given back, or asked to be.".to_owned(),
                    left => format!("No more than {left} minor units are left to be given back."),
                },
            ),
            Refusal::IllegalTransition { from, to } => illegal(from, to),
            Refusal::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used before with another body; nothing was written.",
            ),
            Refusal::KeyExpired { order_id } => Self::new(
                Code::IdempotencyKeyExpired,
                match order_id {
                    Some(id) => format!("This Idempotency-Key placed order {id} long ago."),
                    None => "This Idempotency-Key was used long ago.".to_owned(),
                },
            ),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        let (code, detail) = match &error {
            store::Error::Unavailable(_) => (
                Code::Unavailable,
                "The storage is not available; nothing was written.",
            ),
            store::Error::Unknown(_) => (
                Code::OutcomeUnknown,
                "The storage did not say whether it was done; retry with the same Idempotency-Key.",
            ),
            store::Error::Corrupt(_) => (
                Code::Internal,
                "Something failed inside; the log has this request id.",
            ),
        };
        Self {
            cause: Some(Arc::new(error)),
            ..Self::new(code, detail)
        }
    }
}

/// When an outage of the store was last logged.
#[derive(Default)]
pub(crate) struct Outages(AtomicI64);

impl Outages {
    const QUIET_MS: i64 = 1_000;

    /// Whether nothing was logged within the last second; if so, something is about to be.
    fn is_news(&self, now: Timestamp) -> bool {
        let now = now.as_millis();
        let last = self.0.load(Ordering::Relaxed);
        (now - last).abs() >= Self::QUIET_MS
            && self
                .0
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// A complete HTTP/1.1 answer for what goes wrong below the router, after which the connection is
/// closed: too many of them, or a head that cannot be read. So nobody knows its prefix either.
#[must_use]
pub fn raw(code: Code, detail: &str, request_id: &str) -> Vec<u8> {
    let problem = Problem::new(code, detail.to_owned());
    let body = problem.to_json(request_id, None, &Prefix::default());
    let reason = StatusCode::from_u16(problem.status)
        .ok()
        .and_then(|it| it.canonical_reason());
    let mut answer = format!(
        "HTTP/1.1 {} {}\r\n\
         content-type: application/problem+json\r\n\
         content-length: {}\r\n\
         cache-control: no-store\r\n\
         x-content-type-options: nosniff\r\n\
         x-request-id: {request_id}\r\n\
         request-id: {request_id}\r\n",
        problem.status,
        reason.unwrap_or_default(),
        body.len(),
    );
    for (name, value) in more_headers(code).filter(|(name, _)| name != CONNECTION) {
        answer.extend([name.as_str(), ": ", value, "\r\n"]);
    }
    answer.push_str("connection: close\r\n\r\n");
    [answer.into_bytes(), body].concat()
}

/// The headers that a code brings beside the body.
fn more_headers(code: Code) -> impl Iterator<Item = (HeaderName, &'static str)> {
    let header = match code {
        Code::Unavailable => Some((RETRY_AFTER, "5")),
        Code::Overloaded | Code::OutcomeUnknown => Some((RETRY_AFTER, "1")),
        Code::Unauthorized => Some((WWW_AUTHENTICATE, "Bearer")),
        // What is left of the request may still be on its way, or may not be a request at all.
        Code::BadRequest
        | Code::HeaderFieldsTooLarge
        | Code::PayloadTooLarge
        | Code::RequestTimeout => Some((CONNECTION, "close")),
        _ => None,
    };
    header.into_iter()
}

/// A URI for the request id: `urn:uuid:` where it is one, else the id as a fragment.
fn instance(request_id: &str) -> String {
    match uuid::Uuid::try_parse(request_id) {
        Ok(_) => format!("urn:uuid:{request_id}"),
        Err(_) => format!("#{request_id}"),
    }
}

/// An error with all its sources on one line.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

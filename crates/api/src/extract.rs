//! Taking a request apart: its body, its idempotency key, the id in its path, its query.
//!
//! Each says no with a [`Problem`]; the framework's own plain-text refusals never show.

use crate::App;
use crate::problem::{Code, Fault, Problem};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use domain::OrderId;
use domain::idempotency::{KEY_MAX, Key};
use domain::json::Json;
use http_body_util::BodyExt;
use std::borrow::Cow;
use std::time::Duration;
use tracing::warn;

/// How much of a body that is too large is read and dropped, so that the client, which is still
/// sending, gets to read why.
const DRAIN_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most characters of the reader's complaint about a body that is not JSON.
const COMPLAINT_MAX: usize = 200;

/// The JSON document that a request brings.
pub(crate) async fn json(app: &App, request: Request, max: usize) -> Result<Json, Problem> {
    require_json(request.headers())?;
    let bytes = body(app, request, max).await?;
    parse(&bytes)
}

/// The JSON of a body; `None` where nothing was sent.
pub(crate) async fn optional_json(app: &App, request: Request) -> Result<Option<Json>, Problem> {
    let headers = request.headers().clone();
    let bytes = body(app, request, app.settings.body_max_bytes).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    require_json(&headers)?;
    parse(&bytes).map(Some)
}

/// Reads a body that is JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, Problem> {
    Json::parse(bytes).map_err(|error| {
        let complaint: String = error.to_string().chars().take(COMPLAINT_MAX).collect();
        Problem::new(
            Code::InvalidJson,
            format!("The body is not JSON: {complaint}."),
        )
    })
}

/// Refuses a request that does not say that its body is JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers.get(CONTENT_TYPE);
    if sent.is_some_and(is_json) {
        return Ok(());
    }
    let sent = match sent {
        None => "none was sent".to_owned(),
        Some(value) => format!("{value:?} was sent"),
    };
    Err(Problem::new(
        Code::UnsupportedMediaType,
        format!("The Content-Type must be application/json in UTF-8; {sent}."),
    ))
}

fn is_json(content_type: &HeaderValue) -> bool {
    if content_type == "application/json" {
        return true;
    }
    let Ok(text) = content_type.to_str() else {
        return false;
    };
    let text = text.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    json && charset.is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8"))
}

/// The bytes of a body, at most `max`, within the time that a client has for it.
pub(crate) async fn body(app: &App, request: Request, max: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| {
        let text = value.to_str().ok()?;
        text.parse::<usize>().ok()
    });
    // A client that waits for our word before it sends needs no draining.
    let waits = request.headers().contains_key(EXPECT);
    let body = request.into_body();

    let limit = Duration::from_millis(app.settings.body_timeout_ms);
    let read = async {
        if declared.is_some_and(|declared| declared > max) {
            if !waits {
                drain(body, 0).await;
            }
            return Err(too_large(max));
        }
        collect(body, max).await
    };
    tokio::time::timeout(limit, read)
        .await
        .unwrap_or_else(|_elapsed| {
            Err(Problem::new(
                Code::RequestTimeout,
                format!(
                    "The body did not arrive within {} ms.",
                    app.settings.body_timeout_ms
                ),
            ))
        })
}

async fn collect(mut body: Body, max: usize) -> Result<Bytes, Problem> {
    // Nearly every body is one frame, which is then used as it is.
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| {
            Problem::new(
                Code::BadRequest,
                "The body ended early or is not encoded as declared.",
            )
        })?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        let length = whole.len() + bytes.len();
        if length > max {
            drain(body, length).await;
            return Err(too_large(max));
        }
        whole = if whole.is_empty() {
            bytes
        } else {
            [whole, bytes].concat().into()
        };
    }
    Ok(whole)
}

async fn drain(mut body: Body, mut drained: usize) {
    while drained < DRAIN_MAX_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        drained += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn too_large(max: usize) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("The body is larger than {max} bytes."),
    )
}

/// The idempotency key of a request, which may have none.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(first) = sent.next() else {
        return Ok(None);
    };
    if sent.next().is_some() {
        return Err(Problem::new(
            Code::IdempotencyKeyInvalid,
            "There are two Idempotency-Key headers; send one.",
        ));
    }
    key(first.as_bytes()).map(Some)
}

/// Reads an idempotency key.
pub(crate) fn key(text: &[u8]) -> Result<Key, Problem> {
    Key::parse(text).ok_or_else(|| {
        Problem::new(
            Code::IdempotencyKeyInvalid,
            format!("The idempotency key is not 1 to {KEY_MAX} printable ASCII characters."),
        )
    })
}

/// The problem of a request without the key that it needs.
pub(crate) fn key_missing() -> Problem {
    Problem::new(
        Code::IdempotencyKeyMissing,
        "The header Idempotency-Key is missing; send a new UUID with each new order.",
    )
}

/// What becomes of an answer once its order is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterCommit {
    /// It is sent.
    Answer,
    /// It is lost, on purpose: the client gets a 500.
    Fail,
}

impl AfterCommit {
    /// Loses the answer, where that was asked for.
    pub(crate) fn check(self) -> Result<(), Problem> {
        match self {
            Self::Answer => Ok(()),
            Self::Fail => Err(Problem::new(
                Code::SimulatedFailure,
                "Simulated failure: the order was written, and this answer was lost on purpose.",
            )),
        }
    }
}

/// What `X-Debug-Fail-After-Commit` asks for, where that is allowed.
pub(crate) fn after_commit(app: &App, headers: &HeaderMap) -> AfterCommit {
    match headers.get("x-debug-fail-after-commit") {
        Some(value) if value == "true" && app.settings.faults_enabled => AfterCommit::Fail,
        Some(value) if value == "true" => {
            warn!("Ignored X-Debug-Fail-After-Commit: faults are not enabled");
            AfterCommit::Answer
        }
        _ => AfterCommit::Answer,
    }
}

/// The id of an order in a path. What is no id names no order: 404.
pub(crate) struct OrderPath(pub(crate) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let TextPath(text) = TextPath::from_request_parts(parts, state).await?;
        order_id(&text).map(Self).ok_or_else(no_such_order)
    }
}

/// The id of an order; one that another system numbered goes by its number too.
fn order_id(text: &str) -> Option<OrderId> {
    let number = text.parse::<u64>().ok();
    let number = number.filter(|number| number.to_string() == text);
    OrderId::parse(text).or_else(|| OrderId::numbered(number?))
}

/// The one parameter of a path, as text.
pub(crate) struct TextPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for TextPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|_not_utf8| {
            Problem::new(
                Code::NotFound,
                "The path is not UTF-8; nothing has such a name.",
            )
        })
    }
}

/// The items of a list where nothing is said.
const LIMIT: usize = 20;
/// The most items of one answer.
pub(crate) const LIMIT_MAX: usize = 100;

/// The header that names a request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The problem of an id that names no order.
pub(crate) fn no_such_order() -> Problem {
    Problem::new(Code::NotFound, "There is no order with this id.")
}

/// The parameters of a query string, and what is wrong with them.
pub(crate) struct Query {
    parameters: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Query {
    /// Reads a query string in which each of `known` may stand once, and nothing else.
    pub(crate) fn of(query: Option<&str>, known: &[&str]) -> Self {
        let mut parameters: Vec<(String, String)> = Vec::new();
        let mut faults = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if parameters.iter().any(|(other, _)| *other == name) {
                faults.push(fault(&name, "stands twice", "repeated"));
            } else if known.contains(&&*name) {
                parameters.push((name.into_owned(), value.into_owned()));
            } else {
                let detail = format!("is not a parameter here; there are {}", known.join(", "));
                faults.push(fault(&name, detail, "unknown_parameter"));
            }
        }
        Self { parameters, faults }
    }

    /// The value of a parameter, if it is there and `read` understands it; `expected` says what
    /// it should be.
    pub(crate) fn get<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (_, text) = self.parameters.iter().find(|(known, _)| known == name)?;
        let value = read(text);
        if value.is_none() {
            self.faults.push(fault(name, expected, "out_of_bounds"));
        }
        value
    }

    /// How many items of a list are asked for: [`LIMIT`] where nothing is said.
    pub(crate) fn limit(&mut self) -> usize {
        let limit = self.get("limit", "must be an integer from 1 to 100", |text| {
            text.parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        });
        limit.unwrap_or(LIMIT)
    }

    /// Where a list is to go on.
    pub(crate) fn cursor(&mut self) -> Option<String> {
        self.get("cursor", "must be a cursor", |text| Some(text.to_owned()))
    }

    /// A problem if anything was wrong.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Problem::of_faults(Code::InvalidQuery, self.faults))
    }
}

fn fault(name: &str, detail: impl Into<Cow<'static, str>>, code: &'static str) -> Fault {
    let parameter = Some(name.chars().take(64).collect());
    Fault {
        pointer: None,
        parameter,
        detail: detail.into(),
        code,
    }
}

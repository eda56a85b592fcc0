//! A payment or inventory service over HTTP.
//!
//! Every call is a `POST {base}/{call}` of `{effect_id, order_id, of, amount_minor, currency}` or
//! `{effect_id, order_id, of, lines}`, with the effect id as its `Idempotency-Key`; `of` is the
//! effect id that is captured, voided, refunded, committed or released. A look is a
//! `GET {base}/capture/{effect_id}`. 408, 425, 429 and 5xx may pass and are asked again; any other
//! 4xx never will.

use super::Provider;
use async_trait::async_trait;
use domain::fulfil::{Answer, Call, CallKind, Refused};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};
use serde_json::{Value, json};
use std::error::Error as _;
use std::time::Duration;

/// How long it may take to connect; less than a call may take.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// The most bytes of an answer that are looked at.
const BODY_MAX: usize = 64 * 1024;
/// The most characters of what a service says that are kept.
const WORDS_MAX: usize = 200;

/// Why a service cannot be asked.
#[derive(Debug)]
pub enum Unusable {
    /// Its URL is none, or not one of HTTP.
    Url(String),
    /// No client can be made here; mostly because this machine names no authority to trust.
    Client(String),
}

/// A service at a URL.
pub struct Http {
    client: Client,
    base: Url,
}

impl Http {
    /// The service at `base`, which is `http://` or `https://`.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub fn new(base: &str) -> Result<Self, Unusable> {
        let parsed = Url::parse(base.trim_end_matches('/'));
        let base = parsed.map_err(|error| Unusable::Url(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            let why = format!("{} is no scheme for it", base.scheme());
            return Err(Unusable::Url(why));
        }
        let client = client()
            .connect_timeout(CONNECT_MAX)
            .build()
            .map_err(|error| Unusable::Client(words_of(&error)))?;
        Ok(Self { client, base })
    }

    async fn send(&self, call: &Call) -> reqwest::Result<Response> {
        let effect_id = call.effect_id();
        let request = if call.kind == CallKind::Look {
            let captured = call.effect_id_of(CallKind::Capture);
            self.client.get(self.url(&["capture", &captured]))
        } else {
            self.client
                .post(self.url(&[call.kind.as_str()]))
                .header("idempotency-key", &effect_id)
                .header(CONTENT_TYPE, "application/json")
                .body(body(call, &effect_id).to_string())
        };
        let traced = match call.trace {
            Some(trace) => request.header("traceparent", trace.to_string()),
            None => request,
        };
        traced.send().await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

#[async_trait]
impl Provider for Http {
    async fn call(&self, call: &Call) -> Answer {
        let response = match self.send(call).await {
            Ok(response) => response,
            Err(error) => return Answer::Failed(words_of(&error).into(), None),
        };
        let status = response.status().as_u16();
        let after_s = retry_after_s(&response);
        let body = match read(response).await {
            Ok(body) => body,
            Err(error) => return Answer::Failed(words_of(&error).into(), None),
        };
        answer_of(call.kind, status, after_s, &body)
    }
}

/// What every client begins with: TLS, and no redirect.
pub(crate) fn client() -> ClientBuilder {
    install_tls();
    Client::builder().redirect(Policy::none())
}

/// Says how TLS is spoken in this process, for whoever makes a client of HTTP.
pub fn install_tls() {
    // An error says that a provider is there already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// How many seconds a service wants to be left alone, where it says seconds and not a date.
pub(crate) fn retry_after_s(response: &Response) -> Option<i64> {
    let after = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    after.trim().parse().ok()
}

/// The body of a call.
fn body(call: &Call, effect_id: &str) -> Value {
    let of = match call.kind {
        CallKind::Capture | CallKind::Void | CallKind::Look => Some(CallKind::Authorise),
        CallKind::Refund => Some(CallKind::Capture),
        CallKind::Commit | CallKind::Release => Some(CallKind::Reserve),
        CallKind::Authorise | CallKind::Reserve => None,
    };
    let mut body = json!({
        "effect_id": effect_id,
        "order_id": call.order_id.to_string(),
        "of": of.map(|of| call.effect_id_of(of)),
    });
    if call.kind.is_payment() {
        body["amount_minor"] = call.amount.as_minor().into();
        body["currency"] = call.currency.as_str().into();
    } else {
        let line = |(item_id, name, quantity): &(Option<_>, Option<_>, u32)| {
            let item_id: Option<&str> = item_id.as_ref().map(domain::ItemId::as_str);
            let name: Option<&str> = name.as_ref().map(domain::Name::as_str);
            json!({ "item_id": item_id, "name": name, "quantity": quantity })
        };
        body["lines"] = call.lines.iter().map(line).collect();
    }
    body
}

/// What a status means.
fn answer_of(kind: CallKind, status: u16, after_s: Option<i64>, body: &[u8]) -> Answer {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let code = json.as_ref().and_then(|json| json.get("code")?.as_str());
    let words = || -> Box<str> {
        let said = code.map_or_else(String::new, |code| {
            format!(": {}", code.chars().take(WORDS_MAX).collect::<String>())
        });
        format!("{status}{said}").into()
    };
    match (kind, status) {
        (_, 200..=299) => Answer::Done,
        (CallKind::Look, 404) => Answer::NotCaptured,
        (CallKind::Void, 409) if code == Some("captured") => Answer::Captured,
        (_, 408 | 425 | 429 | 500.. | ..=399) => Answer::Failed(
            words(),
            after_s.map(|seconds| seconds.saturating_mul(1_000)),
        ),
        (CallKind::Reserve, _) => Answer::Refused(Refused::OutOfStock, words()),
        _ => Answer::Refused(Refused::Declined, words()),
    }
}

/// The beginning of a body.
pub(crate) async fn read(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY_MAX {
            break;
        }
    }
    Ok(body)
}

/// What went wrong, without the URL, which may hold a secret.
pub(crate) fn words_of(error: &reqwest::Error) -> String {
    let mut words = String::from(if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else if error.is_builder() {
        "no client can be made"
    } else {
        "the answer broke off"
    });
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words.chars().take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests;

//! Pages for people: what they look like, and who gets one.
//!
//! Plain HTML without scripts, whose links are relative, so that it works below any prefix.

use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The media type of a page.
pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// How long a file may be kept whose name holds the digest of what is in it.
pub(crate) const FOR_EVER: HeaderValue =
    HeaderValue::from_static("public, max-age=31536000, immutable");

const STYLE: &str = include_str!("pages.css");

/// Nothing is loaded, and no style but ours is obeyed.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("Base64 is ASCII")
});

/// How something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// To programs.
    Json,
    /// To people at a terminal, and to whoever does not say.
    Markdown,
    /// To browsers.
    Html,
}

impl Form {
    /// The form that a request likes best.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let lists = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut best = (Self::Markdown, 0);
        for range in lists.flat_map(|list| list.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default() {
                "text/html" | "application/xhtml+xml" => Self::Html,
                "application/json" | "application/problem+json" => Self::Json,
                "text/markdown" | "text/plain" | "text/*" | "*/*" => Self::Markdown,
                _ => continue,
            };
            let weight = parts.find_map(|parameter| parameter.strip_prefix("q="));
            let weight = weight.map_or(1_000, per_mille);
            if weight > best.1 {
                best = (form, weight);
            }
        }
        best.0
    }
}

/// A weight (RFC 9110, 12.4.2) in thousandths; one that cannot be read is none.
fn per_mille(text: &str) -> u16 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{decimals:0<3}");
    digits.parse().unwrap_or(0).min(1_000)
}

/// A page under a title.
pub(crate) fn page(title: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · orderd" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    let headers = [
        (CONTENT_TYPE, HTML),
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
    ];
    (headers, page.into_string()).into_response()
}

/// Says that the answer depends on what was asked for.
pub(crate) fn negotiated(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    response
}

#[cfg(test)]
mod tests;

//! Reads that go through the cache, and the answers that they become.

use crate::App;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use store::cache::{Entry, Source, View};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// The answer that shows `view`: the kept one, else what `fill` reads from the store.
pub(crate) async fn read(
    app: &App,
    view: View,
    fill: impl Future<Output = Result<Option<Entry>, Problem>>,
) -> Result<(Option<Entry>, Source), Problem> {
    let (entry, source) = app.cache.read(view, fill).await?;
    app.metrics.cached(source);
    Ok((entry, source))
}

/// The `ETag` of an order.
pub(crate) fn etag(version: u32) -> String {
    format!("\"{version}\"")
}

/// An order as it is kept: under its version.
pub(crate) fn order(version: u32, body: Vec<u8>) -> Entry {
    Entry {
        head: etag(version).into(),
        body: body.into(),
    }
}

/// The answer that shows an order, or 304 where the client has this version.
pub(crate) fn shown(entry: Entry, source: Source, headers: &HeaderMap) -> Response {
    let known = is_known(headers, &entry.head);
    let etag = HeaderValue::from_str(&entry.head).expect("a quoted number is ASCII");
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(entry)
    };
    response.headers_mut().insert(ETAG, etag);
    with(response, source)
}

/// The answer that is a list; its head is the link to the next page, where there is one.
pub(crate) fn listed(entry: Entry, source: Source) -> Response {
    let link = (!entry.head.is_empty())
        .then(|| HeaderValue::from_str(&entry.head).expect("a query string is ASCII"));
    let mut response = json(entry);
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    with(response, source)
}

fn json(entry: Entry) -> Response {
    let mut response = Response::new(Body::from(entry.body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn with(mut response: Response, source: Source) -> Response {
    let value = HeaderValue::from_static(source.as_str());
    response.headers_mut().insert(X_CACHE, value);
    response
}

/// Whether `If-None-Match` names `etag`, weak or not, or is `*`.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

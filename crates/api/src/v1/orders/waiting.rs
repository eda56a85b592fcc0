//! Long polling: an order is shown as soon as it is another than the client knows.

use super::detail;
use crate::App;
use crate::cached::{is_known, shown as answer};
use crate::problem::Problem;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use domain::OrderId;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The longest that anybody is kept waiting, in seconds.
const WAIT_MAX_S: u64 = 30;

/// For how many seconds a client wants to wait: `Prefer: wait=N` (RFC 7240, 4.3), and a version at
/// hand that it has seen. A preference that is not understood is none.
pub(super) fn wanted(headers: &HeaderMap) -> Option<u64> {
    if !headers.contains_key(IF_NONE_MATCH) {
        return None;
    }
    let preferences = headers.get_all(PREFER).iter();
    let wait = preferences
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"));
    let seconds: u64 = wait?.1.trim().trim_matches('"').parse().ok()?;
    Some(seconds.min(WAIT_MAX_S))
}

/// Shows an order once it is another than the client knows, or `wait` seconds are over.
pub(super) async fn shown(
    app: &App,
    id: OrderId,
    headers: &HeaderMap,
    wait: u64,
) -> Result<Response, Problem> {
    let until = Instant::now() + Duration::from_secs(wait);
    // Before the first look, so that no move falls between the two.
    let mut moves = app.feed.moves(id).await?;
    let (entry, source) = loop {
        let (entry, source) = detail(app, id).await?;
        if !is_known(headers, &entry.head) {
            break (entry, source);
        }
        tokio::select! {
            () = moves.next() => {}
            () = sleep_until(until) => break (entry, source),
            () = app.stopping.cancelled() => break (entry, source),
        }
    };

    let mut response = answer(entry, source, headers);
    let applied = HeaderValue::try_from(format!("wait={wait}")).expect("a number is ASCII");
    response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    Ok(response)
}

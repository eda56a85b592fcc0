//! `/v1/cache`: what the cache holds, and emptying it.

use super::orders::JSON;
use crate::layers::Context;
use crate::problem::Problem;
use crate::renderers::to_bytes;
use crate::{App, changing};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use store::cache::Source;
use tracing::info;
use utoipa::ToSchema;

/// What the cache can say of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Cache)]
pub(crate) struct CacheBody {
    /// `off`, `in process` or `redis`.
    #[schema(example = "in process")]
    kind: &'static str,
    /// Whether it is used at the moment: Redis may be away.
    up: bool,
    /// How many answers this process keeps.
    entries: usize,
    /// How many bytes they take.
    bytes: u64,
    /// Reads that it answered, since the process started.
    hits: u64,
    /// Reads that it did not know the answer of.
    misses: u64,
    /// Reads that went past it.
    bypasses: u64,
}

/// Look at the cache
#[utoipa::path(
    get,
    path = "/v1/cache",
    operation_id = "show_cache",
    tag = "operations",
    responses((status = 200, description = "What it holds", body = CacheBody))
)]
pub(crate) async fn show(State(app): State<Arc<App>>) -> Response {
    let stats = app.cache.stats();
    let body = CacheBody {
        kind: stats.kind,
        up: stats.up,
        entries: stats.entries,
        bytes: stats.bytes,
        hits: app.metrics.reads(Source::Hit),
        misses: app.metrics.reads(Source::Miss),
        bypasses: app.metrics.reads(Source::Bypass),
    };
    ([(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response()
}

/// Empty the cache
///
/// Never needed for right answers: it holds none that are out of date.
#[utoipa::path(
    delete,
    path = "/v1/cache",
    operation_id = "flush_cache",
    tag = "operations",
    responses((status = 204, description = "It is empty"))
)]
pub(crate) async fn flush(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
) -> Result<Response, Problem> {
    app.cache.flush().await;
    info!(
        request_id = context.request_id.as_str(),
        actor = changing::actor(&context),
        "The cache was emptied"
    );

    Ok(StatusCode::NO_CONTENT.into_response())
}

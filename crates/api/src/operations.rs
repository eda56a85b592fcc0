//! What operators and their tools ask: is it alive, is it ready, what does it count, where is what.

use crate::App;
use crate::layers::Context;
use crate::metrics::Format;
use crate::openapi::openapi_below;
use crate::renderers::to_bytes;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::{RecordId, RecordKind};
use serde::Serialize;
use std::fmt::Write;
use std::sync::Arc;
use utoipa::ToSchema;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const YAML: HeaderValue = HeaderValue::from_static("application/yaml");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const OPEN: &str = "application/openmetrics-text";
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What is looked at before requests may be sent here.
const CHECKS: [&str; 2] = ["accepting", "store"];

/// Where things are.
#[derive(Serialize, ToSchema)]
#[schema(as = Index)]
pub(crate) struct IndexBody {
    /// In a sentence.
    message: &'static str,
    /// The version of this build.
    version: &'static str,
    /// The product's own API.
    orders: String,
    /// Its description for programs.
    openapi: String,
    /// The description of events for programs.
    asyncapi: String,
    /// Both for people.
    docs: String,
    /// What each problem means.
    problems: String,
    /// Whether it takes requests.
    health: String,
    /// What it counts.
    metrics: String,
}

/// Where things are
#[utoipa::path(get, path = "/", operation_id = "show_index", tag = "operations", responses((status = 200, description = "Where things are", body = IndexBody)))]
pub(crate) async fn index(
    State(app): State<Arc<App>>,
    Extension(Context { prefix, .. }): Extension<Context>,
) -> Response {
    let at = |path: &str| format!("{prefix}{path}");
    let index = IndexBody {
        message: "POST /orders creates an order; GET /orders/{order_id} shows it. \
                  New clients use /v1/orders.",
        version: app.settings.version,
        orders: at("/v1/orders"),
        openapi: at("/openapi.json"),
        asyncapi: at("/asyncapi.json"),
        docs: at("/docs"),
        problems: at("/problems"),
        health: at("/readyz"),
        metrics: at("/metrics"),
    };
    ([(CONTENT_TYPE, JSON)], to_bytes(&index)).into_response()
}

/// Whether the process is alive
///
/// Touches nothing else: a restart would not mend a store that is away.
#[utoipa::path(get, path = "/livez", operation_id = "show_liveness", tag = "operations", responses((status = 200, description = "It is", body = String, content_type = "text/plain")))]
pub(crate) async fn livez() -> Response {
    ([(CONTENT_TYPE, TEXT)], "ok\n").into_response()
}

/// Whether requests may be sent here
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "show_readiness",
    tag = "operations",
    params(
        ("verbose" = Option<String>, Query, description = "Print a line a check"),
        ("exclude" = Option<Vec<String>>, Query, description = "A check to leave out, `accepting` or `store`; may stand twice"),
    ),
    responses(
        (status = 200, description = "They may", body = String, content_type = "text/plain"),
        (status = 503, description = "It is stopping, or the store is away", body = String, content_type = "text/plain"),
    )
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let is_verbose = asked.iter().any(|(name, _)| name == "verbose");
    let (mut ready, mut text) = (true, String::new());
    for check in CHECKS {
        let is_excluded = asked
            .iter()
            .any(|(name, value)| name == "exclude" && value == check);
        let (sign, what) = if is_excluded {
            ('+', "excluded")
        } else if holds(&app, check).await {
            ('+', "ok")
        } else {
            ready = false;
            ('-', "failed")
        };
        if is_verbose {
            writeln!(text, "[{sign}]{check} {what}")
                .expect("a String takes all that is written to it");
        }
    }
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(CONTENT_TYPE, TEXT)], text).into_response()
}

async fn holds(app: &App, check: &str) -> bool {
    match check {
        "accepting" => !app.stopping.is_cancelled(),
        _ => answers(app).await,
    }
}

/// Whether the store answers: by one key, since anybody may ask as often as he likes.
async fn answers(app: &App) -> bool {
    let id = RecordId {
        kind: RecordKind::Secret,
        id: "cursor".into(),
    };
    app.store.records(&[id]).await.is_ok()
}

/// What is counted
///
/// In the text format of Prometheus, or in that of `OpenMetrics` where `Accept` names it.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "show_metrics",
    tag = "operations",
    responses((
        status = 200,
        description = "The metrics",
        content((String = "text/plain"), (String = "application/openmetrics-text")),
    ))
)]
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    // Of a store that is away, what it said last stands.
    if let Ok(stats) = app.store.stats().await {
        app.metrics.note(&stats, app.clock.now());
    }
    let accept = headers.get_all(ACCEPT).iter();
    let wants_open = accept
        .filter_map(|it| it.to_str().ok())
        .any(|it| it.contains(OPEN));
    let (format, content_type) = if wants_open {
        (Format::OpenMetrics, OPENMETRICS)
    } else {
        (Format::Prometheus, PROMETHEUS)
    };
    let text = app.metrics.to_text(format);
    ([(CONTENT_TYPE, content_type)], text).into_response()
}

/// This document
#[utoipa::path(get, path = "/openapi.json", operation_id = "show_openapi", tag = "operations", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn openapi_json(
    Extension(Context { prefix, .. }): Extension<Context>,
) -> Response {
    ([(CONTENT_TYPE, JSON)], openapi_below(&prefix)).into_response()
}

/// This document, for who wants YAML
///
/// JSON is YAML: the same bytes.
#[utoipa::path(get, path = "/openapi.yaml", operation_id = "show_openapi_yaml", tag = "operations", responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/yaml")))]
pub(crate) async fn openapi_yaml(
    Extension(Context { prefix, .. }): Extension<Context>,
) -> Response {
    ([(CONTENT_TYPE, YAML)], openapi_below(&prefix)).into_response()
}

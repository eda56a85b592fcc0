//! `GET /v1/idempotency-keys/{key}`: what a key stands for.

use super::orders::JSON;
use crate::App;
use crate::changing::ANONYMOUS;
use crate::extract::{self, Query, TextPath};
use crate::layers::Context;
use crate::problem::{Code, Problem};
use crate::renderers::{display, to_bytes};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use domain::idempotency::{Operation, Principal, Scope, Seen};
use domain::token::TokenScope;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a key stands for.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyRecords)]
pub(crate) struct RecordsBody {
    /// One for each route on which it was used.
    items: Vec<RecordBody>,
}

/// What a key stands for on one route.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyRecord)]
pub(crate) struct RecordBody {
    /// The method of the request.
    pub(crate) method: &'static str,
    /// The route of the request.
    pub(crate) route: &'static str,
    /// What was sent, whatever its spelling: another body under the same key is refused.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub(crate) fingerprint: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The order that was placed.
    pub(crate) order_id: Option<String>,
    /// When the key was first used.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// How often its answer was given again, since this process started.
    pub(crate) replays: u32,
    /// From when on its answer is not given again.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}

/// Look a key up
///
/// Each token has keys of its own: another's are looked up by `principal`, with a token of scope admin.
#[utoipa::path(
    get,
    path = "/v1/idempotency-keys/{key}",
    operation_id = "show_idempotency_key",
    tag = "orders",
    params(
        ("key" = String, Path, description = "The key"),
        ("principal" = Option<String>, Query, description = "Whose key it is, the caller's if absent: the id of a token, or `anonymous` for all that come without one. For a token of scope admin"),
    ),
    responses(
        (status = 200, description = "What the key stands for", body = RecordsBody),
        (status = 404, description = "The key was not used, or is forgotten", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["idempotency_key_invalid"]))),
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    TextPath(key): TextPath,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["principal"]);
    let principal = query.get("principal", WHOSE, principal);
    query.check()?;

    let items = find(&app, &context, principal, key.as_bytes()).await?;

    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&RecordsBody { items })).into_response())
}

/// What a parameter that names a principal must be.
pub(crate) const WHOSE: &str = "must be the id of a token, or anonymous";

/// The principal with this name, as timelines have it.
pub(crate) fn principal(name: &str) -> Option<Principal> {
    if name == ANONYMOUS {
        return Some(Principal::anonymous());
    }
    let token_id = Uuid::parse_str(name).ok()?.to_string();
    (token_id == name).then(|| Principal::new(name))
}

/// What a key stands for, at least one thing: of the caller, or of another where the caller may
/// do everything.
pub(crate) async fn find(
    app: &App,
    context: &Context,
    principal: Option<Principal>,
    key: &[u8],
) -> Result<Vec<RecordBody>, Problem> {
    let principal = principal.unwrap_or_else(|| context.principal.clone());
    if principal != context.principal {
        context.check_scope(TokenScope::Admin)?;
    }
    let key = extract::key(key)?;
    let retention = &app.settings.retention;
    let forgotten = retention.forget_before(app.clock.now());
    let mut items = Vec::new();
    for operation in Operation::ALL {
        let scope = Scope {
            principal: principal.clone(),
            operation,
            key: key.clone(),
        };
        let seen = app.store.seen(&scope).await?;
        if let Some(seen) = seen.filter(|seen| seen.created_at >= forgotten) {
            items.push(record(app, &scope, &seen));
        }
    }

    if items.is_empty() {
        return Err(Problem::new(
            Code::NotFound,
            "Nothing is remembered under this key.",
        ));
    }
    Ok(items)
}

fn record(app: &App, scope: &Scope, seen: &Seen) -> RecordBody {
    RecordBody {
        method: scope.operation.method(),
        route: scope.operation.route(),
        fingerprint: seen.fingerprint.to_string(),
        status: seen.reply.status,
        order_id: seen.order_id().map(|id| id.to_string()),
        created_at: seen.created_at,
        replays: app.replays.of(scope),
        expires_at: app.settings.retention.expires_at(seen),
    }
}

//! `/v1/webhooks`: who is told of events, and what came of it.

mod deliveries;

pub(crate) use deliveries::*;

use super::orders::JSON;
use crate::App;
use crate::changing::{TRIES, crowded};
use crate::extract::{self, TextPath};
use crate::fields::{Faults, Fields, Wrong, array, boolean, text};
use crate::problem::{Code, Problem};
use crate::renderers::{display, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::json::Json;
use domain::webhook::{Disabled, Secret, target};
use domain::{Change, Endpoint, EndpointId, EventKind, Name, RecordKind, Timestamp, WriteSet};
use serde::Serialize;
use std::sync::Arc;
use store::{Committed, RecordQuery};
use utoipa::ToSchema;

/// The most endpoints that there can be: each is woken by every event.
const ENDPOINTS_MAX: usize = 50;
/// What a secret begins with on the wire.
const SECRET_PREFIX: &str = "whsec_";

/// Somebody to tell of events.
#[derive(ToSchema)]
#[schema(as = NewWebhook)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewEndpointBody {
    /// Where to: `https://`, a public host, port 443 or 8443.
    #[schema(format = "uri", example = "https://shop.example/hooks/orders")]
    url: String,
    /// Of which types of events; of all where it is empty or not there.
    #[schema(example = json!(["order.completed.v1", "order.failed.v1"]))]
    events: Option<Vec<String>>,
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    description: Option<String>,
}

/// What is to change of a webhook; what is not there stays.
#[derive(ToSchema)]
#[schema(as = WebhookChange)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `apply` reads")]
pub(crate) struct EndpointChangeBody {
    /// Where to.
    #[schema(format = "uri")]
    url: Option<String>,
    /// Of which types of events; of all where it is empty.
    events: Option<Vec<String>>,
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    description: Option<String>,
    /// Whether it is told. What waited for it when it was disabled is told once it is enabled.
    enabled: Option<bool>,
}

/// Somebody who is told of events.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct EndpointBody<'a> {
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    webhook_id: EndpointId,
    /// Where to.
    url: &'a str,
    /// Of which types of events; of all where it is empty.
    events: &'a [String],
    /// What it is for.
    description: Option<&'a str>,
    /// Whether it is told.
    enabled: bool,
    /// Why it is not: `by_hand`, `gone` (it answered 410) or `failing` (nothing came through).
    disabled_reason: Option<&'static str>,
    /// Since when it is not.
    #[schema(format = DateTime)]
    disabled_at: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// What signs, as Standard Webhooks writes it; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Those who are told of events.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookList)]
pub(crate) struct EndpointsBody<'a> {
    /// The oldest first.
    items: Vec<EndpointBody<'a>>,
}

impl<'a> EndpointBody<'a> {
    fn of(id: EndpointId, endpoint: &'a Endpoint) -> Self {
        let time = |millis| Timestamp::from_millis(millis).to_string();
        Self {
            webhook_id: id,
            url: &endpoint.url,
            events: &endpoint.events,
            description: endpoint.description.as_deref(),
            enabled: endpoint.disabled.is_none(),
            disabled_reason: endpoint.disabled.map(|(why, _)| why.as_str()),
            disabled_at: endpoint.disabled.map(|(_, at)| time(at)),
            created_at: time(endpoint.created_at_ms),
            secret: None,
        }
    }
}

/// An endpoint as it is kept.
struct Found {
    id: EndpointId,
    endpoint: Endpoint,
    version: u32,
}

/// Have events told to a URL
///
/// Each is a POST of a `CloudEvents` object, signed as Standard Webhooks says, and sent again for
/// three days until it is answered with a 2xx. The secret is in this answer only.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    operation_id = "create_webhook",
    tag = "webhooks",
    request_body = NewEndpointBody,
    responses((status = 201, description = "The webhook, with its secret", body = EndpointBody, headers(
        ("Location" = String, description = "Its path"),
    )))
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    fields.only(&["url", "events", "description"], &mut faults);
    let url = fields.required("url", &mut faults, |json| url(&app, json));
    let events = fields.optional("events", &mut faults, kinds);
    let description: Option<Name> = fields.optional("description", &mut faults, text);
    let url = faults.check(url)?;
    if all(&app).await?.len() >= ENDPOINTS_MAX {
        return Err(Problem::new(
            Code::ValidationFailed,
            format!("There are {ENDPOINTS_MAX} webhooks; delete one first."),
        ));
    }

    let now = app.clock.now();
    let (id, key) = (EndpointId::new(app.ids.mint(now)), fresh_key());
    let endpoint = Endpoint {
        url,
        events: events.unwrap_or_default(),
        description: description.map(|it| it.as_str().to_owned()),
        disabled: None,
        secrets: vec![Secret {
            key: key.clone(),
            until_ms: None,
        }],
        created_at_ms: now.as_millis(),
        hands_over: false,
    };
    write(&app, vec![endpoint.change(id, 0)]).await?;

    let location = HeaderValue::try_from(format!("/v1/webhooks/{id}")).expect("an id is ASCII");
    let body = secretive(id, &endpoint, &key);
    let headers = [(CONTENT_TYPE, JSON), (LOCATION, location)];
    Ok((StatusCode::CREATED, headers, body).into_response())
}

/// List the webhooks
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    operation_id = "list_webhooks",
    tag = "webhooks",
    responses((status = 200, description = "The webhooks, without their secrets", body = EndpointsBody))
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let all = all(&app).await?;

    let items = all.iter().map(|it| EndpointBody::of(it.id, &it.endpoint));
    let items = items.collect();
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&EndpointsBody { items })).into_response())
}

/// Read a webhook
#[utoipa::path(
    get,
    path = "/v1/webhooks/{webhook_id}",
    operation_id = "show_webhook",
    tag = "webhooks",
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook, without its secret", body = EndpointBody),
        (status = 404, description = "There is no such webhook", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
) -> Result<Response, Problem> {
    let found = find(&app, &id).await?;

    Ok(shown(&found))
}

/// Change a webhook
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{webhook_id}",
    operation_id = "change_webhook",
    tag = "webhooks",
    request_body = EndpointChangeBody,
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook as it is now", body = EndpointBody),
        (status = 404, description = "There is no such webhook", body = crate::problem::Document),
    )
)]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    fields.only(&["url", "events", "description", "enabled"], &mut faults);
    let url = fields.optional("url", &mut faults, |json| url(&app, json));
    let events = fields.optional("events", &mut faults, kinds);
    let description: Option<Name> = fields.optional("description", &mut faults, text);
    let enabled = fields.optional("enabled", &mut faults, boolean);
    faults.check(Some(()))?;

    let now_ms = app.clock.now().as_millis();
    let found = update(&app, &id, |endpoint| {
        if let Some(url) = &url {
            endpoint.url.clone_from(url);
        }
        if let Some(events) = &events {
            endpoint.events.clone_from(events);
        }
        if let Some(description) = &description {
            endpoint.description = Some(description.as_str().to_owned());
        }
        endpoint.disabled = match (enabled, endpoint.disabled) {
            (Some(true), _) => None,
            (Some(false), None) => Some((Disabled::ByHand, now_ms)),
            (_, disabled) => disabled,
        };
    })
    .await?;

    Ok(shown(&found))
}

/// Delete a webhook
///
/// What it was to be told is forgotten, and so is its log.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{webhook_id}",
    operation_id = "delete_webhook",
    tag = "webhooks",
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses(
        (status = 204, description = "It is told of nothing any more"),
        (status = 404, description = "There is no such webhook", body = crate::problem::Document),
    )
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
) -> Result<Response, Problem> {
    for _ in 0..TRIES {
        let found = find(&app, &id).await?;
        let gone = Change::Record {
            id: Endpoint::record_id(found.id),
            was: found.version,
            body: None,
        };
        if write(&app, vec![gone, Change::Forget(found.id)]).await? {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    Err(crowded())
}

/// Sign with a new secret
///
/// The one before it signs as well for a day, so that nothing is refused meanwhile.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/rotate",
    operation_id = "rotate_webhook_secret",
    tag = "webhooks",
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook, with its new secret", body = EndpointBody),
        (status = 404, description = "There is no such webhook", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["validation_failed"]))),
)]
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
) -> Result<Response, Problem> {
    let (now, key) = (app.clock.now(), fresh_key());
    let found = update(&app, &id, |endpoint| endpoint.rotate(key.clone(), now)).await?;

    let body = secretive(found.id, &found.endpoint, &key);
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}

/// Changes an endpoint as `act` says; the endpoint as it is then.
async fn update(app: &App, id: &str, act: impl Fn(&mut Endpoint)) -> Result<Found, Problem> {
    for _ in 0..TRIES {
        let mut found = find(app, id).await?;
        if found.endpoint.is_topic() {
            let why = "This is a topic; it is as the configuration says, and can only be deleted.";
            return Err(Problem::new(Code::ValidationFailed, why));
        }
        act(&mut found.endpoint);
        if write(app, vec![found.endpoint.change(found.id, found.version)]).await? {
            return Ok(found);
        }
    }
    Err(crowded())
}

/// Whether it was written, which it is unless somebody was faster.
async fn write(app: &App, changes: Vec<Change>) -> Result<bool, Problem> {
    let claim = None;
    let committed = app
        .store
        .commit(Arc::new(WriteSet { claim, changes }))
        .await?;
    Ok(committed == Committed::Done)
}

async fn find(app: &App, id: &str) -> Result<Found, Problem> {
    let none = || Problem::new(Code::NotFound, "There is no webhook with this id.");
    let id = EndpointId::parse(id).ok_or_else(none)?;
    let records = app.store.records(&[Endpoint::record_id(id)]).await?;
    let record = records.into_iter().flatten().next().ok_or_else(none)?;
    let endpoint = Endpoint::read(&record.body).ok_or_else(none)?;
    Ok(Found {
        id,
        endpoint,
        version: record.version,
    })
}

async fn all(app: &App) -> Result<Vec<Found>, Problem> {
    let query = RecordQuery {
        kind: RecordKind::Endpoint,
        after: None,
        limit: ENDPOINTS_MAX,
    };
    let page = app.store.list(query).await?;
    let found = page.items.iter().filter_map(|(id, record)| {
        Some(Found {
            id: EndpointId::parse(id)?,
            endpoint: Endpoint::read(&record.body)?,
            version: record.version,
        })
    });
    Ok(found.collect())
}

fn shown(found: &Found) -> Response {
    let body = to_bytes(&EndpointBody::of(found.id, &found.endpoint));
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// An endpoint with the secret that signs from now on.
fn secretive(id: EndpointId, endpoint: &Endpoint, key: &str) -> Vec<u8> {
    to_bytes(&EndpointBody {
        secret: Some(format!("{SECRET_PREFIX}{key}")),
        ..EndpointBody::of(id, endpoint)
    })
}

fn fresh_key() -> String {
    let random: [u8; 32] = rand::random();
    BASE64_STANDARD.encode(random)
}

fn url(app: &App, json: &Json) -> Result<String, Wrong> {
    let Json::String(text) = json else {
        return Err(Wrong::new("wrong_type", "must be a string"));
    };
    match target::parse(text, app.settings.webhook_reach) {
        Ok(_) => Ok(text.to_string()),
        Err(why) => Err(Wrong::new("out_of_bounds", why)),
    }
}

/// Types of events that others are told.
fn kinds(json: &Json) -> Result<Vec<String>, Wrong> {
    let public = || EventKind::all().filter(|kind| kind.is_public());
    let kind = |json: &Json| match json {
        Json::String(word) => public().find(|kind| kind.as_str() == &**word),
        _ => None,
    };
    let chosen: Option<Vec<EventKind>> = array(json, 0, 100)?.iter().map(kind).collect();
    chosen
        .map(|kinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect())
        .ok_or_else(|| {
            let known: Vec<&str> = public().map(EventKind::as_str).collect();
            Wrong::new("value", format!("may hold {}", known.join(", ")))
        })
}

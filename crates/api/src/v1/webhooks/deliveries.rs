//! What came of telling a webhook: the log of its tries, and telling it again.

use super::{Found, find};
use crate::extract::{self, Query, TextPath};
use crate::fields::{Faults, Fields, Wrong};
use crate::problem::{Code, Problem};
use crate::renderers::{display, to_bytes};
use crate::v1::orders::JSON;
use crate::{App, cursor};
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use domain::json::Json;
use domain::{Change, Consumer, Delivery, DeliveryId, EventId, OrderId, Timestamp, Wake, WriteSet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DeliveryQuery, EventQuery};
use utoipa::ToSchema;

/// The most events that one request has told again.
const RECOVER_MAX: usize = 100_000;
/// How many events are read at once.
const PAGE: usize = 1_000;
/// How many orders one write set wakes for.
const WAKES_MAX: usize = 100;

/// One try to tell a webhook of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryBody<'a> {
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    delivery_id: DeliveryId,
    /// Of which event: its `webhook-id`.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    event_id: EventId,
    /// What had happened.
    #[schema(example = "order.completed.v1")]
    kind: &'static str,
    /// To which order.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// Which try of the event it was, from 1.
    number: u32,
    /// What was answered, where something was.
    status: Option<u16>,
    /// What went wrong; null where it came through.
    error: Option<&'a str>,
    /// How long it took, in milliseconds.
    duration_ms: u32,
    /// When it began.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    tried_at: Timestamp,
}

/// A page of the log of a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryList)]
pub(crate) struct DeliveriesBody<'a> {
    /// The newest first; about the last 1,000 are kept.
    items: Vec<DeliveryBody<'a>>,
    /// Where the next page begins; null at the end of the list.
    next_cursor: Option<String>,
}

/// What is to be told again.
#[derive(ToSchema)]
#[schema(as = Resend)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `resend` reads")]
pub(crate) struct ResendBody {
    /// The event.
    #[schema(format = "uuid")]
    event_id: String,
}

/// Which events are to be told again.
#[derive(ToSchema)]
#[schema(as = Recover)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `recover` reads")]
pub(crate) struct RecoverBody {
    /// Those that happened at this time or later.
    #[schema(format = DateTime)]
    since: String,
    /// Those that happened before this time; up to now where it is not said.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// What is told again.
#[derive(Serialize, ToSchema)]
#[schema(as = Recovered)]
pub(crate) struct RecoveredBody {
    /// How many events.
    events: usize,
    /// Of how many orders.
    orders: usize,
    /// Where there were more than one request takes: the time to go on from.
    #[schema(format = DateTime)]
    next_since: Option<String>,
}

impl<'a> DeliveryBody<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        Self {
            delivery_id: delivery.id,
            event_id: delivery.event_id,
            kind: delivery.kind.as_str(),
            order_id: delivery.order_id,
            number: delivery.number,
            status: delivery.status,
            error: delivery.error.as_deref(),
            duration_ms: delivery.duration_ms,
            tried_at: delivery.id.minted_at(),
        }
    }
}

/// List what came of telling a webhook
#[utoipa::path(
    get,
    path = "/v1/webhooks/{webhook_id}/deliveries",
    operation_id = "list_deliveries",
    tag = "webhooks",
    params(
        ("webhook_id" = String, Path, description = "The webhook"),
        ("limit" = Option<u32>, Query, description = "The most tries of a page: 1 to 100, 20 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "The tries, the newest first", body = DeliveriesBody),
        (status = 404, description = "There is no such webhook", body = crate::problem::Document),
    )
)]
pub(crate) async fn deliveries(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["limit", "cursor"]);
    let limit = query.limit();
    let before = query.cursor();
    query.check()?;
    let found = find(&app, &id).await?;
    let bound = format!("deliveries&{id}");
    let before = before
        .map(|text| cursor::open_text(&app.cursor_key, &text, &bound))
        .transpose()?;

    let query = DeliveryQuery {
        endpoint_id: found.id,
        succeeded: false,
        before: before.and_then(|text| DeliveryId::parse(&text)),
        limit,
    };
    let page = app.store.deliveries(query).await?;

    let next = page.next.map(|next| next.to_string());
    let body = DeliveriesBody {
        items: page.items.iter().map(DeliveryBody::of).collect(),
        next_cursor: next.map(|next| cursor::seal(&app.cursor_key, next.as_bytes(), &bound)),
    };
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response())
}

/// Tell a webhook of an event again
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/resend",
    operation_id = "resend_event",
    tag = "webhooks",
    request_body = ResendBody,
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses(
        (status = 202, description = "It is told in a moment", body = RecoveredBody),
        (status = 404, description = "There is no such webhook or event", body = crate::problem::Document),
        (status = 409, description = "The webhook is disabled, or does not want such events", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["webhook_not_told"]))),
)]
pub(crate) async fn resend(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let event_id = fields.required("event_id", &mut faults, event_id);
    fields.only(&["event_id"], &mut faults);
    let event_id = faults.check(event_id)?;
    let found = enabled(find(&app, &id).await?)?;

    let query = EventQuery {
        after: event_id.preceding(),
        limit: 1,
    };
    let page = app.store.events_after(query).await?;
    let event = page.items.into_iter().find(|event| event.id == event_id);
    let event =
        event.ok_or_else(|| Problem::new(Code::NotFound, "There is no event with this id."))?;
    if !found.endpoint.wants(event.kind) {
        let detail = format!("The webhook is not told of {}.", event.kind.as_str());
        return Err(Problem::new(Code::WebhookNotTold, detail));
    }
    let range = BTreeMap::from([(event.order_id, (event.sequence, event.sequence))]);
    wake(&app, &found, &range).await?;

    Ok(accepted(1, 1, None))
}

/// Tell a webhook of all that happened since
///
/// For when it was away for longer than it is tried. It may be told of what it knows: the
/// `webhook-id` stays the same.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{webhook_id}/recover",
    operation_id = "recover_events",
    tag = "webhooks",
    request_body = RecoverBody,
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses(
        (status = 202, description = "How much it is told again", body = RecoveredBody),
        (status = 404, description = "There is no such webhook", body = crate::problem::Document),
        (status = 409, description = "The webhook is disabled", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["webhook_not_told"]))),
)]
pub(crate) async fn recover(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let since = fields.required("since", &mut faults, time);
    let until = fields.optional("until", &mut faults, time);
    fields.only(&["since", "until"], &mut faults);
    let since = faults.check(since)?;
    let found = enabled(find(&app, &id).await?)?;

    let end = until.map(EventId::least_at);
    let mut ranges: BTreeMap<OrderId, (u32, u32)> = BTreeMap::new();
    let (mut events, mut orders) = (0, 0);
    let mut after = Some(EventId::least_at(since).preceding());
    let mut next_since = None;
    while let Some(from) = after {
        let query = EventQuery {
            after: from,
            limit: PAGE,
        };
        let page = app.store.events_after(query).await?;
        let wanted = page.items.iter().filter(|event| {
            found.endpoint.wants(event.kind) && end.is_none_or(|end| event.id < end)
        });
        for event in wanted {
            events += 1;
            let sequence = event.sequence;
            let range = ranges.entry(event.order_id).or_insert((sequence, sequence));
            *range = (range.0.min(sequence), range.1.max(sequence));
        }
        after = page.next.filter(|next| end.is_none_or(|end| *next < end));
        if events >= RECOVER_MAX {
            next_since = after.map(|after| after.minted_at().to_string());
            after = None;
        }
        if ranges.len() >= WAKES_MAX || after.is_none() {
            orders += ranges.len();
            wake(&app, &found, &ranges).await?;
            ranges.clear();
        }
    }

    Ok(accepted(events, orders, next_since))
}

/// Wakes for ranges of events of orders.
async fn wake(
    app: &App,
    found: &Found,
    ranges: &BTreeMap<OrderId, (u32, u32)>,
) -> Result<(), Problem> {
    let now = app.clock.now();
    let wakes: Vec<Change> = ranges
        .iter()
        .map(|(order_id, (since, head))| {
            Change::Wake(Wake {
                consumer: Consumer::Announce(found.id),
                subject: *order_id,
                since: *since,
                head: *head,
                due_at: now,
            })
        })
        .collect();
    for changes in wakes.chunks(WAKES_MAX) {
        let write_set = WriteSet {
            claim: None,
            changes: changes.to_vec(),
        };
        app.store.commit(Arc::new(write_set)).await?;
    }
    Ok(())
}

fn enabled(found: Found) -> Result<Found, Problem> {
    if found.endpoint.disabled.is_none() {
        return Ok(found);
    }
    Err(Problem::new(
        Code::WebhookNotTold,
        "The webhook is disabled: enable it first, by PATCH with {\"enabled\": true}.",
    ))
}

fn accepted(events: usize, orders: usize, next_since: Option<String>) -> Response {
    let body = to_bytes(&RecoveredBody {
        events,
        orders,
        next_since,
    });
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, JSON)], body).into_response()
}

fn event_id(json: &Json) -> Result<EventId, Wrong> {
    let id = match json {
        Json::String(text) => EventId::parse(text),
        _ => None,
    };
    id.ok_or_else(|| Wrong::new("value", "must be the id of an event"))
}

fn time(json: &Json) -> Result<Timestamp, Wrong> {
    let time = match json {
        Json::String(text) => Timestamp::parse(text),
        _ => None,
    };
    time.ok_or_else(|| {
        Wrong::new(
            "value",
            "must be an RFC 3339 time, as in 2026-01-31T12:00:00Z",
        )
    })
}

//! What there is to see and to do while an order is driven to its end: its timeline, cancelling
//! it, and ruling where nobody but a person can.

use super::dead_letters::Found;
use super::orders::{JSON, visible};
use crate::fields::{Faults, Fields, Wrong, text};
use crate::layers::{About, Context};
use crate::preconditions::Preconditions;
use crate::problem::{Code, Problem};
use crate::renderers::{OrderBody, display, to_bytes};
use crate::{App, cached, changing, extract};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use domain::fulfil::{self, Case, Ruling};
use domain::json::Json;
use domain::letter::LetterState;
use domain::{
    Event, EventId, Letter, Name, Order, OrderId, RecordKind, Status, Timestamp, WriteSet,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use store::RecordQuery;
use utoipa::ToSchema;

/// The most letters of one order that are looked through.
const LETTERS_MAX: usize = 100;

/// Something that happened to an order.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(crate) struct EntryBody<'a> {
    /// 1 for the first, then counting up.
    sequence: u32,
    /// What happened.
    #[schema(example = "payment.captured.v1")]
    kind: &'static str,
    /// When it became true.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    event_id: EventId,
    /// What there is to say of it: the step, the try and the error of a call that failed, and its
    /// `effect_id`, by which the service that was asked knows it; who cancelled it and why.
    #[schema(value_type = Option<Object>)]
    detail: Option<&'a RawValue>,
}

/// All that happened to an order.
#[derive(Serialize, ToSchema)]
#[schema(as = Timeline)]
pub(crate) struct TimelineBody<'a> {
    /// The order.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// How far it has come.
    status: &'static str,
    /// The call that is under way or comes next.
    step: Option<&'static str>,
    /// What happened, the oldest first.
    items: Vec<EntryBody<'a>>,
}

impl<'a> EntryBody<'a> {
    fn of(event: &'a Event) -> Self {
        Self {
            sequence: event.sequence,
            kind: event.kind.as_str(),
            occurred_at: event.occurred_at,
            event_id: event.id,
            detail: event
                .payload
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok()),
        }
    }
}

/// Why something is done.
#[derive(ToSchema)]
#[schema(as = Reason)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `reason` reads")]
pub(crate) struct ReasonBody {
    /// In a sentence; kept in the timeline.
    #[schema(min_length = 1, max_length = 200, example = "the customer called")]
    reason: Option<String>,
}

/// What is to become of an order that needs review.
#[derive(ToSchema)]
#[schema(as = Ruling)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `rule` reads")]
pub(crate) struct RulingBody {
    /// `complete`: go on, since the effect in doubt came about or is to; `undo`: undo what was begun.
    #[schema(example = "complete")]
    ruling: String,
    /// In a sentence; kept in the timeline.
    #[schema(min_length = 1, max_length = 200, example = "the customer called")]
    reason: String,
}

/// What somebody wants the next one to know.
#[derive(ToSchema)]
#[schema(as = NewNote)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `note` reads")]
pub(crate) struct NoteBody {
    /// In a sentence or two; kept in the timeline.
    #[schema(
        min_length = 1,
        max_length = 200,
        example = "The customer called: deliver after 5."
    )]
    note: String,
}

/// See all that happened to an order
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/timeline",
    operation_id = "show_order_timeline",
    tag = "orders",
    params(("order_id" = String, Path, description = "The order")),
    responses(
        (status = 200, description = "What happened, the oldest first", body = TimelineBody),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
    )
)]
pub(crate) async fn timeline(
    State(app): State<Arc<App>>,
    extract::OrderPath(id): extract::OrderPath,
) -> Result<Response, Problem> {
    let order = visible(&app, id)
        .await?
        .ok_or_else(extract::no_such_order)?;
    let events = app.store.events(id).await?;

    let body = TimelineBody {
        order_id: id,
        status: order.status.as_str(),
        step: order.progress.step.map(domain::order::Step::as_str),
        items: events.iter().map(EntryBody::of).collect(),
    };
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response())
}

/// Cancel an order
///
/// Before its capture: what was begun is undone. After it, refund instead.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/cancel",
    operation_id = "cancel_order",
    tag = "orders",
    request_body = Option<ReasonBody>,
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses(
        (status = 200, description = "The order as it is now: cancelled, or being undone", body = OrderBody, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
        (status = 409, description = "It is too late to cancel it", body = crate::problem::Document),
        (status = 412, description = "It has another version", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition"]))),
)]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    extract::OrderPath(id): extract::OrderPath,
    request: Request,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(request.headers());
    let body = extract::optional_json(&app, request).await?;
    let reason = body.as_ref().map(reason).transpose()?.flatten();
    let why = changing::by(&context, reason.as_ref().map(Name::as_str));

    let order = changing::order(&app, id, &preconditions, |order| {
        let act = |case, moment: &mut fulfil::Moment<'_>| {
            fulfil::cancel(case, &app.settings.rules, why.clone(), moment)
        };
        Ok(changing::operated(&app, Case::new(order), act)?)
    })
    .await?;

    // Where nothing was begun; what is being undone ends by the worker.
    if order.status == Status::Cancelled {
        app.metrics.finished(order.status);
    }
    Ok(moved(&order))
}

/// Rule what becomes of an order that needs review
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/ruling",
    operation_id = "rule_order",
    tag = "orders",
    request_body = RulingBody,
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses(
        (status = 200, description = "The order as it is now: under way again", body = OrderBody, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
        (status = 409, description = "It needs no review, or cannot be ruled so", body = crate::problem::Document),
        (status = 412, description = "It has another version", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition"]))),
)]
pub(crate) async fn rule(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    extract::OrderPath(id): extract::OrderPath,
    request: Request,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(request.headers());
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let ruling = fields.required("ruling", &mut faults, ruling);
    let reason: Option<Name> = fields.required("reason", &mut faults, text);
    fields.only(&["ruling", "reason"], &mut faults);
    let (ruling, reason) = faults.check(ruling.zip(reason))?;
    let why = changing::by(&context, Some(reason.as_str()));
    let letter = letter_of(&app, id).await?;

    let order = changing::order(&app, id, &preconditions, |order| {
        let act = |case, moment: &mut fulfil::Moment<'_>| {
            fulfil::rule(case, ruling, &app.settings.rules, why.clone(), moment)
        };
        let mut write_set = changing::operated(&app, Case::new(order), act)?;
        write_set.changes.extend(letter.clone());
        Ok(write_set)
    })
    .await?;

    Ok(moved(&order))
}

/// Add a note to an order's timeline
///
/// It changes nothing else, and nobody outside is told.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/notes",
    operation_id = "note_order",
    tag = "orders",
    request_body = NoteBody,
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses(
        (status = 200, description = "The order as it is now: with a new version", body = OrderBody, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
        (status = 412, description = "It has another version", body = crate::problem::Document),
    )
)]
pub(crate) async fn note(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    extract::OrderPath(id): extract::OrderPath,
    request: Request,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(request.headers());
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let note: Option<Name> = fields.required("note", &mut faults, text);
    fields.only(&["note"], &mut faults);
    let note = faults.check(note)?;
    let mut what = changing::by(&context, None);
    what["note"] = note.as_str().into();

    let order = changing::order(&app, id, &preconditions, |order| {
        // Nobody is woken by it: an order that waits for its next try goes on waiting.
        let changes = changing::moment(&app, |moment| {
            fulfil::note(Case::new(order), what.clone(), moment).changes
        });
        Ok(WriteSet {
            claim: None,
            changes,
        })
    })
    .await?;

    Ok(moved(&order))
}

/// What marks the letter of an order that was ruled on as dealt with.
async fn letter_of(app: &App, id: OrderId) -> Result<Option<domain::Change>, Problem> {
    let mut letters = letters_of(app, id).await?;
    letters.retain(|found| found.letter.state == LetterState::Waiting);
    Ok(letters.pop().map(
        |Found {
             letter, version, ..
         }| {
            let state = LetterState::Redriven;
            Letter { state, ..letter }.change(version)
        },
    ))
}

/// The letters of an order, the oldest first.
pub(crate) async fn letters_of(app: &App, id: OrderId) -> Result<Vec<Found>, Problem> {
    let query = RecordQuery {
        kind: RecordKind::Letter,
        after: Some(format!("{id}:").into()),
        limit: LETTERS_MAX,
    };
    let page = app.store.list(query).await?;
    let order_id = id.to_string();
    let letters = page.items.into_iter().filter_map(|(id, record)| {
        let letter = Letter::read(&record.body)?;
        let version = record.version;
        (letter.order_id == order_id).then_some(Found {
            id,
            letter,
            version,
        })
    });
    Ok(letters.collect())
}

fn moved(order: &Order) -> Response {
    let mut response = ([(CONTENT_TYPE, JSON)], to_bytes(&OrderBody::of(order))).into_response();
    let etag = cached::etag(order.version);
    let etag = etag.parse().expect("a quoted number is ASCII");
    response.headers_mut().insert(ETAG, etag);
    response.extensions_mut().insert(About(order.id));
    response
}

/// The reason that a body gives, if any.
pub(crate) fn reason(body: &Json) -> Result<Option<Name>, Problem> {
    let fields = Fields::of_body(body)?;
    let mut faults = Faults::default();
    let reason: Option<Name> = fields.optional("reason", &mut faults, text);
    fields.only(&["reason"], &mut faults);
    faults.check(Some(reason))
}

fn ruling(json: &Json) -> Result<Ruling, Wrong> {
    let word = match json {
        Json::String(word) => Ruling::parse(word),
        _ => None,
    };
    word.ok_or_else(|| Wrong::new("value", "must be complete or undo"))
}

/// The problem of a request that does not fit the order's state.
pub(crate) fn conflict(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::IllegalTransition, detail)
}

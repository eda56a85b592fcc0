//! `/v1/dead-letters`: orders that were given up. See why, bring one back, or let it be.

mod found;
mod settle;

pub(crate) use found::{Found, Group, Tally, Wanted, page, tally};

use super::fulfilment::reason;
use super::orders::JSON;
use crate::App;
use crate::extract::{self, LIMIT_MAX, Query, TextPath};
use crate::fields::{Faults, Fields, Wrong, boolean, text};
use crate::layers::Context;
use crate::problem::{Code, Problem};
use crate::renderers::to_bytes;
use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use domain::json::Json;
use domain::letter::{Compensated, LetterState};
use domain::order::Reason;
use domain::{Letter, Name, Timestamp};
use found::one;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The most orders that one request brings back.
const REDRIVE_MAX: u64 = 1_000;

/// An order that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct LetterBody<'a> {
    /// Its name: the order, and the version at which it was given up.
    letter_id: &'a str,
    /// The order.
    order_id: &'a str,
    /// Why: `payment_declined`, `stock_unavailable`, `retries_exhausted`, `poison` or
    /// `compensation_failed`.
    reason: &'a str,
    /// The step that could not be done.
    step: Option<&'a str>,
    /// How many tries of that step failed.
    tries: u32,
    /// What went wrong.
    error: &'a str,
    /// Whether all that was begun is undone: `yes`, `no` or `partial`.
    #[schema(value_type = String)]
    compensated: Compensated,
    /// `waiting`, `redriven` or `discarded`.
    #[schema(value_type = String)]
    state: LetterState,
    /// How often the order had been brought back before.
    redrive_count: u32,
    /// When it was given up.
    failed_at: String,
    /// Why an operator discarded it.
    note: Option<&'a str>,
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterList)]
pub(crate) struct LettersBody<'a> {
    /// The letters of the oldest orders first; there may be fewer than `limit` before the end.
    items: Vec<LetterBody<'a>>,
    /// Where the next page begins; null at the end of the list.
    next_cursor: Option<String>,
}

/// Which letters to bring back.
#[derive(ToSchema)]
#[schema(as = Redrive)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `redrive_all` reads")]
pub(crate) struct RedriveBody {
    /// Only those with this reason.
    reason: Option<String>,
    /// The most of them: 1 to 1,000, 100 if absent.
    #[schema(minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
    /// How many a second the worker is to be given: 1 to 1,000, 50 if absent.
    #[schema(minimum = 1, maximum = 1_000)]
    per_second: Option<u32>,
    /// Only say how many there are.
    dry_run: Option<bool>,
    /// Why, in a sentence; kept in the timeline of each.
    #[schema(min_length = 1, max_length = 200)]
    note: Option<String>,
}

/// Why nothing is to be done.
#[derive(ToSchema)]
#[schema(as = GivenReason)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `discard` reads")]
pub(crate) struct GivenReasonBody {
    /// In a sentence; kept with the letter, and in the timeline.
    #[schema(min_length = 1, max_length = 200, example = "refunded by hand")]
    reason: String,
}

/// What was brought back.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Redriven)]
pub(crate) struct RedrivenBody {
    /// How many letters there are to bring back, also where that is more than `limit`.
    matching: u64,
    /// How many were brought back.
    redriven: u64,
    /// How many were left out: a person has to rule on their orders first, or they could not be
    /// brought back.
    skipped: u64,
    /// Whether there are more to bring back than `limit`, or than were looked at: ask again.
    more: bool,
}

impl<'a> LetterBody<'a> {
    fn of(id: &'a str, letter: &'a Letter) -> Self {
        Self {
            letter_id: id,
            order_id: &letter.order_id,
            reason: &letter.reason,
            step: letter.step.as_deref(),
            tries: letter.tries,
            error: &letter.error,
            compensated: letter.compensated,
            state: letter.state,
            redrive_count: letter.round.saturating_sub(1),
            failed_at: Timestamp::from_millis(letter.failed_at_ms).to_string(),
            note: letter.note.as_deref(),
        }
    }
}

/// List dead letters
#[utoipa::path(
    get,
    path = "/v1/dead-letters",
    operation_id = "list_dead_letters",
    tag = "dead letters",
    params(
        ("limit" = Option<u32>, Query, description = "The most letters of a page: 1 to 100, 20 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("reason" = Option<String>, Query, description = "Only letters with this reason"),
        ("state" = Option<String>, Query, description = "Only letters in this state: waiting (if absent), redriven, discarded or all"),
    ),
    responses((status = 200, description = "A page of letters", body = LettersBody, headers(
        ("Link" = String, description = "The next page, as `rel=\"next\"`"),
    )))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["limit", "cursor", "reason", "state"]);
    let limit = query.limit();
    let after = query.cursor();
    let wanted = Wanted::of(&mut query);
    query.check()?;

    let (letters, next_cursor) = page(&app, &wanted, after.as_deref(), limit).await?;

    let items = letters
        .iter()
        .map(|found| LetterBody::of(&found.id, &found.letter))
        .collect();
    let link = next_cursor.as_ref().map(|next| {
        let filters = wanted.as_query();
        format!("</v1/dead-letters?limit={limit}&{filters}cursor={next}>; rel=\"next\"")
    });
    let body = to_bytes(&LettersBody { items, next_cursor });
    let mut response = ([(CONTENT_TYPE, JSON)], body).into_response();
    if let Some(link) = link {
        let link = HeaderValue::from_str(&link).expect("a cursor is ASCII");
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// Read a dead letter
#[utoipa::path(
    get,
    path = "/v1/dead-letters/{letter_id}",
    operation_id = "show_dead_letter",
    tag = "dead letters",
    params(("letter_id" = String, Path, description = "The letter")),
    responses(
        (status = 200, description = "The letter", body = LetterBody),
        (status = 404, description = "There is no such letter", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
) -> Result<Response, Problem> {
    let found = one(&app, &id).await?;

    Ok(shown(&found))
}

/// Bring an order back
///
/// It is tried anew, under effect ids of its own. To ask again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{letter_id}/redrive",
    operation_id = "redrive_dead_letter",
    tag = "dead letters",
    request_body = Option<super::fulfilment::ReasonBody>,
    params(("letter_id" = String, Path, description = "The letter")),
    responses(
        (status = 200, description = "The letter as it is now", body = LetterBody),
        (status = 404, description = "There is no such letter", body = crate::problem::Document),
        (status = 409, description = "It was discarded, or not all is undone", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition"]))),
)]
pub(crate) async fn redrive(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    TextPath(id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::optional_json(&app, request).await?;
    let reason = body.as_ref().map(reason).transpose()?.flatten();
    let found = one(&app, &id).await?;

    let now = app.clock.now();
    let found = settle::bring_back(&app, &context, found, reason.as_ref(), now).await?;

    Ok(shown(&found))
}

/// Bring orders back, many at once
///
/// It stops where the storage fails; to ask again goes on from there.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/redrive",
    operation_id = "redrive_dead_letters",
    tag = "dead letters",
    request_body = RedriveBody,
    responses((status = 200, description = "How many were brought back", body = RedrivenBody))
)]
pub(crate) async fn redrive_all(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let reason = fields.optional("reason", &mut faults, reason_word);
    let limit = fields.optional("limit", &mut faults, up_to_max);
    let per_second = fields.optional("per_second", &mut faults, up_to_max);
    let dry_run = fields.optional("dry_run", &mut faults, boolean);
    let note: Option<Name> = fields.optional("note", &mut faults, text);
    fields.only(
        &["reason", "limit", "per_second", "dry_run", "note"],
        &mut faults,
    );
    faults.check(Some(()))?;
    let redrive = settle::Redrive {
        reason,
        limit: usize::try_from(limit.unwrap_or(100)).unwrap_or(LIMIT_MAX),
        gap_ms: 1_000 / i64::try_from(per_second.unwrap_or(50)).unwrap_or(50),
        is_dry: dry_run.unwrap_or(false),
        note,
    };

    let counts = settle::bring_back_all(&app, &context, &redrive).await?;

    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&counts)).into_response())
}

/// Let an order be
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{letter_id}/discard",
    operation_id = "discard_dead_letter",
    tag = "dead letters",
    request_body = GivenReasonBody,
    params(("letter_id" = String, Path, description = "The letter")),
    responses(
        (status = 200, description = "The letter as it is now", body = LetterBody),
        (status = 404, description = "There is no such letter", body = crate::problem::Document),
        (status = 409, description = "Its order was brought back", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition"]))),
)]
pub(crate) async fn discard(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    TextPath(id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let reason = reason(&body)?.ok_or_else(|| {
        Problem::new(
            Code::ValidationFailed,
            "/reason is missing: say why nothing is to be done.",
        )
    })?;
    let found = one(&app, &id).await?;

    let found = settle::discard(&app, &context, found, &reason).await?;

    Ok(shown(&found))
}

fn shown(found: &Found) -> Response {
    let body = to_bytes(&LetterBody::of(&found.id, &found.letter));
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

fn reason_word(json: &Json) -> Result<Reason, Wrong> {
    let reason = match json {
        Json::String(word) => Reason::parse(word),
        _ => None,
    };
    reason.ok_or_else(|| Wrong::new("value", "must be the reason of a letter"))
}

fn up_to_max(json: &Json) -> Result<u64, Wrong> {
    let number = json
        .as_integer()
        .and_then(|number| u64::try_from(number).ok());
    number
        .filter(|number| (1..=REDRIVE_MAX).contains(number))
        .ok_or_else(|| Wrong::new("value", "must be a whole number from 1 to 1,000"))
}

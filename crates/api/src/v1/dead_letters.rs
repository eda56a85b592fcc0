//! `/v1/dead-letters`: orders that were given up. See why, bring one back, or let it be.

use super::fulfilment::{conflict, reason};
use super::orders::JSON;
use crate::extract::{self, LIMIT_MAX, Query, TextPath};
use crate::fields::{Faults, Fields, Wrong, boolean};
use crate::layers::Context;
use crate::preconditions::Preconditions;
use crate::problem::{Code, Problem};
use crate::renderers::to_bytes;
use crate::v1::orders::visible;
use crate::{App, changing, cursor};
use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use domain::fulfil::{self, Case};
use domain::json::Json;
use domain::letter::{Compensated, LetterState};
use domain::order::Reason;
use domain::{Change, Letter, Name, OrderId, RecordId, RecordKind, Timestamp, Wake, WriteSet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Committed, RecordQuery};
use utoipa::ToSchema;

/// The most letters that one request looks at, whatever it asks for.
const SCAN_MAX: usize = 10_000;
/// The most letters that are read at once.
const READ_MAX: usize = 1_000;
/// The most orders that one request brings back.
const REDRIVE_MAX: u64 = 1_000;
/// How many letters wait, as far as they were looked at.
#[derive(Default)]
pub(crate) struct Tally {
    /// By their reason, then by their step.
    pub(crate) waiting: BTreeMap<String, BTreeMap<String, u64>>,
    /// Whether all letters were looked at.
    pub(crate) is_whole: bool,
}

/// The most letters that are counted by what went wrong.
const TALLIED_MAX: usize = 1_000;
/// What the cursors of the list are bound to.
const CURSORS: &str = "dead-letters";

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
}

/// Why nothing is to be done.
#[derive(ToSchema)]
#[schema(as = GivenReason)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `discard` reads")]
pub(crate) struct GivenReasonBody {
    /// In a sentence; kept with the letter.
    #[schema(min_length = 1, max_length = 200, example = "refunded by hand")]
    reason: String,
}

/// What was brought back.
#[derive(Serialize, ToSchema)]
#[schema(as = Redriven)]
pub(crate) struct RedrivenBody {
    /// How many letters there are to bring back.
    matching: u64,
    /// How many were brought back.
    redriven: u64,
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
    let found = bring_back(&app, &context, found, reason.as_ref(), now).await?;

    Ok(shown(&found))
}

/// Bring orders back, many at once
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
    fields.only(&["reason", "limit", "per_second", "dry_run"], &mut faults);
    faults.check(Some(()))?;
    let wanted = Wanted {
        reason,
        states: States::One(LetterState::Waiting),
    };
    let limit = usize::try_from(limit.unwrap_or(100)).unwrap_or(LIMIT_MAX);
    let gap_ms = 1_000 / i64::try_from(per_second.unwrap_or(50)).unwrap_or(50);

    let (letters, _) = find(&app, &wanted, None, limit).await?;
    let matching = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    let mut redriven = 0;
    if !dry_run.unwrap_or(false) {
        let mut due = app.clock.now();
        for found in letters {
            // One that cannot be brought back keeps no other from it.
            if bring_back(&app, &context, found, None, due).await.is_ok() {
                redriven += 1;
                due = due.plus_millis(gap_ms);
            }
        }
    }

    let body = to_bytes(&RedrivenBody { matching, redriven });
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
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

    let letter = match found.letter.state {
        LetterState::Redriven => return Err(conflict("Its order was brought back.")),
        LetterState::Discarded => return Ok(shown(&found)),
        LetterState::Waiting => Letter {
            state: LetterState::Discarded,
            note: Some(changing::by(&context, Some(reason.as_str())).to_string()),
            ..found.letter
        },
    };
    let write_set = WriteSet {
        claim: None,
        changes: vec![letter.change(found.version)],
    };
    if app.store.commit(Arc::new(write_set)).await? != Committed::Done {
        return Err(changing::crowded());
    }

    let version = found.version + 1;
    Ok(shown(&Found {
        letter,
        version,
        ..found
    }))
}

/// A letter, and the record that it is kept in.
pub(crate) struct Found {
    pub(crate) id: Box<str>,
    pub(crate) letter: Letter,
    pub(crate) version: u32,
}

/// Which letters are wanted.
pub(crate) struct Wanted {
    reason: Option<Reason>,
    states: States,
}

/// Letters in which state are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum States {
    All,
    One(LetterState),
}

impl Wanted {
    fn takes(&self, letter: &Letter) -> bool {
        self.reason
            .is_none_or(|reason| letter.reason == reason.as_str())
            && (self.states == States::All || self.states == States::One(letter.state))
    }

    /// The filters that a query names: letters that wait, where it names no state.
    pub(crate) fn of(query: &mut Query) -> Self {
        let reason = query.get("reason", "must be the reason of a letter", Reason::parse);
        let states = query.get(
            "state",
            "must be waiting, redriven, discarded or all",
            states,
        );
        Self {
            reason,
            states: states.unwrap_or(States::One(LetterState::Waiting)),
        }
    }

    pub(crate) const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// The word for the state that is wanted.
    pub(crate) const fn state(&self) -> &'static str {
        match self.states {
            States::All => "all",
            States::One(LetterState::Waiting) => "waiting",
            States::One(LetterState::Redriven) => "redriven",
            States::One(LetterState::Discarded) => "discarded",
        }
    }

    /// The filters as part of a query string.
    pub(crate) fn as_query(&self) -> String {
        let state = self.state();
        let reason = self.reason.map(Reason::as_str);
        let reason = reason.map(|reason| format!("reason={reason}&"));
        format!("{}state={state}&", reason.unwrap_or_default())
    }
}

/// A page of letters, and the cursor of the next one.
pub(crate) async fn page(
    app: &App,
    wanted: &Wanted,
    cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<Found>, Option<String>), Problem> {
    let bound = format!("{CURSORS}&{}", wanted.as_query());
    let after = cursor
        .map(|text| cursor::open_text(&app.cursor_key, text, &bound))
        .transpose()?;
    let (letters, next) = find(app, wanted, after, limit).await?;
    let sealed = |after: Box<str>| cursor::seal(&app.cursor_key, after.as_bytes(), &bound);
    Ok((letters, next.map(sealed)))
}

/// How many letters wait, by their reason, then by their step; of the first [`TALLIED_MAX`] at the
/// most.
pub(crate) async fn tally(app: &App) -> Result<Tally, Problem> {
    let wanted = Wanted {
        reason: None,
        states: States::One(LetterState::Waiting),
    };
    let (letters, next) = find(app, &wanted, None, TALLIED_MAX).await?;
    let mut tally = Tally {
        is_whole: next.is_none(),
        ..Tally::default()
    };
    for Found { letter, .. } in letters {
        let step = letter.step.unwrap_or_default();
        let steps = tally.waiting.entry(letter.reason).or_default();
        *steps.entry(step).or_default() += 1;
    }
    Ok(tally)
}

/// Letters that are wanted, and where to go on.
async fn find(
    app: &App,
    wanted: &Wanted,
    mut after: Option<Box<str>>,
    limit: usize,
) -> Result<(Vec<Found>, Option<Box<str>>), Problem> {
    let (mut letters, mut looked_at) = (Vec::new(), 0);
    loop {
        let query = RecordQuery {
            kind: RecordKind::Letter,
            after,
            limit: READ_MAX,
        };
        let page = app.store.list(query).await?;
        for (id, record) in page.items {
            looked_at += 1;
            let Some(letter) = Letter::read(&record.body) else {
                continue;
            };
            if wanted.takes(&letter) {
                let last = id.clone();
                let version = record.version;
                letters.push(Found {
                    id,
                    letter,
                    version,
                });
                if letters.len() == limit {
                    return Ok((letters, Some(last)));
                }
            }
        }
        after = page.next;
        if after.is_none() || looked_at >= SCAN_MAX {
            return Ok((letters, after));
        }
    }
}

async fn one(app: &App, id: &str) -> Result<Found, Problem> {
    let none = || Problem::new(Code::NotFound, "There is no dead letter with this id.");
    let record_id = RecordId {
        kind: RecordKind::Letter,
        id: id.into(),
    };
    let records = app.store.records(&[record_id]).await?;
    let record = records.into_iter().flatten().next().ok_or_else(none)?;
    Ok(Found {
        id: id.into(),
        letter: Letter::read(&record.body).ok_or_else(none)?,
        version: record.version,
    })
}

/// Has the order of a letter tried anew, from `due_at` on.
async fn bring_back(
    app: &App,
    context: &Context,
    found: Found,
    reason: Option<&Name>,
    due_at: Timestamp,
) -> Result<Found, Problem> {
    match (found.letter.state, found.letter.compensated) {
        (LetterState::Redriven, _) => return Ok(found),
        (LetterState::Discarded, _) => return Err(conflict("The letter was discarded.")),
        (_, Compensated::Partial) => {
            return Err(conflict(
                "Not all that was begun for this order is undone: rule on it first, by \
                 POST /v1/orders/{order_id}/ruling.",
            ));
        }
        (LetterState::Waiting, _) => {}
    }
    let id = OrderId::parse(&found.letter.order_id).ok_or_else(extract::no_such_order)?;
    let letter = Letter {
        state: LetterState::Redriven,
        ..found.letter
    };
    let mark = letter.change(found.version);
    if letter.reason == Reason::Poison.as_str() {
        wake(app, id, mark, due_at).await?;
    } else {
        let why = changing::by(context, reason.map(Name::as_str));
        let anything = Preconditions::none();
        changing::order(app, id, &anything, |order| {
            let act =
                |case, moment: &mut fulfil::Moment<'_>| fulfil::redrive(case, why.clone(), moment);
            let mut write_set = changing::operated(app, Case::new(order), act)?;
            for change in &mut write_set.changes {
                if let Change::Wake(wake) = change {
                    wake.due_at = due_at;
                }
            }
            write_set.changes.push(mark.clone());
            Ok(write_set)
        })
        .await?;
    }
    let version = found.version + 1;
    Ok(Found {
        letter,
        version,
        ..found
    })
}

/// The order could not be worked on at all: it goes on from where it is.
async fn wake(app: &App, id: OrderId, mark: Change, due_at: Timestamp) -> Result<(), Problem> {
    let order = visible(app, id).await?.ok_or_else(extract::no_such_order)?;
    let wake = Change::Wake(Wake::fulfil(id, order.newest_sequence, due_at));
    let write_set = WriteSet {
        claim: None,
        changes: vec![mark, wake],
    };
    if app.store.commit(Arc::new(write_set)).await? == Committed::Done {
        return Ok(());
    }
    Err(changing::crowded())
}

fn shown(found: &Found) -> Response {
    let body = to_bytes(&LetterBody::of(&found.id, &found.letter));
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

fn states(word: &str) -> Option<States> {
    Some(match word {
        "all" => States::All,
        "waiting" => States::One(LetterState::Waiting),
        "redriven" => States::One(LetterState::Redriven),
        "discarded" => States::One(LetterState::Discarded),
        _ => return None,
    })
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

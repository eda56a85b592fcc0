//! `/v1/stock`: how many of an item there are. An item whose stock was never set is not counted,
//! and always to be had.

use super::orders::JSON;
use crate::App;
use crate::changing::{TRIES, actor, crowded};
use crate::extract::{self, TextPath};
use crate::fields::{Faults, Fields, Wrong, text};
use crate::layers::Context;
use crate::problem::{Code, Problem};
use crate::renderers::to_bytes;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use domain::json::Json;
use domain::stock::{Adjustment, StockLog, adjusted};
use domain::{Change, ItemId, Name, Record, Refusal, Stock, WriteSet};
use serde::Serialize;
use std::sync::Arc;
use store::Committed;
use utoipa::ToSchema;

/// The most of an item: more than anybody has, and far from what does not fit.
const ON_HAND_MAX: u64 = 1_000_000_000_000;

/// The stock of an item.
#[derive(Serialize, ToSchema)]
#[schema(as = Stock)]
pub(crate) struct StockBody<'a> {
    /// The item: what a line's `item_id` says.
    item_id: &'a str,
    #[serde(flatten)]
    figures: FiguresBody,
}

/// How many there are of an item.
#[derive(Serialize, ToSchema)]
#[schema(as = StockFigures)]
pub(crate) struct FiguresBody {
    /// How many there are, held ones too.
    on_hand: u64,
    /// How many of them are held for orders.
    reserved: u64,
    /// How many can still be sold.
    available: u64,
}

impl FiguresBody {
    pub(crate) fn of(stock: Stock) -> Self {
        Self {
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            available: stock.available(),
        }
    }
}

/// How many there are, by a count.
#[derive(ToSchema)]
#[schema(as = CountedStock)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `set` reads")]
pub(crate) struct CountBody {
    /// How many there are, held ones too.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64, example = 24)]
    on_hand: u64,
    /// In a sentence; kept with the change.
    #[schema(min_length = 1, max_length = 200, example = "stocktaking")]
    reason: String,
}

/// How many came or went.
#[derive(ToSchema)]
#[schema(as = StockChange)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `adjust` reads")]
pub(crate) struct ChangeBody {
    /// More than 0 where some came, less where some went.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64, example = 24)]
    change: i64,
    /// In a sentence; kept with the change.
    #[schema(min_length = 1, max_length = 200, example = "delivery")]
    reason: String,
}

impl<'a> StockBody<'a> {
    fn of(item_id: &'a ItemId, stock: Stock) -> Self {
        Self {
            item_id: item_id.as_str(),
            figures: FiguresBody::of(stock),
        }
    }
}

/// See the stock of an item
#[utoipa::path(
    get,
    path = "/v1/stock/{item_id}",
    operation_id = "show_stock",
    tag = "stock",
    params(("item_id" = String, Path, description = "The item")),
    responses(
        (status = 200, description = "Its stock", body = StockBody),
        (status = 404, description = "Its stock is not counted", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    TextPath(item_id): TextPath,
) -> Result<Response, Problem> {
    let item_id = item(&item_id)?;
    let stock = read(&app, &item_id).await?.ok_or_else(not_counted)?;

    Ok(shown(&item_id, stock))
}

/// Set the stock of an item to what was counted
///
/// From the first time on, its stock is counted, and no more is sold than there is.
#[utoipa::path(
    put,
    path = "/v1/stock/{item_id}",
    operation_id = "set_stock",
    tag = "stock",
    request_body = CountBody,
    params(("item_id" = String, Path, description = "The item")),
    responses(
        (status = 200, description = "Its stock now", body = StockBody),
        (status = 409, description = "More than that is held for orders", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["stock_held"]))),
)]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    TextPath(item_id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let item_id = item(&item_id)?;
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let on_hand = fields.required("on_hand", &mut faults, on_hand);
    let reason: Option<Name> = fields.required("reason", &mut faults, text);
    fields.only(&["on_hand", "reason"], &mut faults);
    let (on_hand, reason) = faults.check(on_hand.zip(reason))?;

    let why = Why {
        context: &context,
        reason: reason.as_str(),
    };
    change(&app, &item_id, &why, |was| difference_to(on_hand, was)).await
}

/// Change the stock of an item
#[utoipa::path(
    post,
    path = "/v1/stock/{item_id}",
    operation_id = "adjust_stock",
    tag = "stock",
    request_body = ChangeBody,
    params(("item_id" = String, Path, description = "The item")),
    responses(
        (status = 200, description = "Its stock now", body = StockBody),
        (status = 409, description = "There are not as many that are not held", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["stock_held"]))),
)]
pub(crate) async fn adjust(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    TextPath(item_id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let item_id = item(&item_id)?;
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;
    let mut faults = Faults::default();
    let by = fields.required("change", &mut faults, difference);
    let reason: Option<Name> = fields.required("reason", &mut faults, text);
    fields.only(&["change", "reason"], &mut faults);
    let (by, reason) = faults.check(by.zip(reason))?;

    let why = Why {
        context: &context,
        reason: reason.as_str(),
    };
    change(&app, &item_id, &why, |_was| by).await
}

/// Who has a stock moved, and why.
pub(crate) struct Why<'a> {
    pub(crate) context: &'a Context,
    pub(crate) reason: &'a str,
}

/// Moves the stock by what `difference` makes of it as it is.
async fn change(
    app: &App,
    item_id: &ItemId,
    why: &Why<'_>,
    difference: impl Fn(Stock) -> i64,
) -> Result<Response, Problem> {
    for _ in 0..TRIES {
        let known = known(app, item_id).await?;
        let by = difference(known.stock.unwrap_or_default());
        let (stock, changes) = moved(app, item_id, known, by, why)?;
        let write_set = WriteSet {
            claim: None,
            changes,
        };
        if app.store.commit(Arc::new(write_set)).await? == Committed::Done {
            return Ok(shown(item_id, stock));
        }
    }
    Err(crowded())
}

/// What is known of an item: its stock, and the log of that.
pub(crate) struct Known {
    pub(crate) stock: Option<Stock>,
    log: Option<Record>,
}

/// The log is read first: a first count has no other guard, and one that comes in between shows in it.
pub(crate) async fn known(app: &App, item_id: &ItemId) -> Result<Known, Problem> {
    let log = app.store.records(&[StockLog::id(item_id)]).await?;
    Ok(Known {
        log: log.into_iter().flatten().next(),
        stock: read(app, item_id).await?,
    })
}

/// What is written where the stock of an item moves `by` so many, and the stock that there is then.
pub(crate) fn moved(
    app: &App,
    item_id: &ItemId,
    known: Known,
    by: i64,
    why: &Why<'_>,
) -> Result<(Stock, Vec<Change>), Refusal> {
    let now = app.clock.now();
    adjusted(Adjustment {
        id: app.ids.mint(now),
        item_id: item_id.clone(),
        was: known.stock,
        log: known.log,
        by,
        reason: why.reason.into(),
        actor: actor(why.context).into(),
        now,
    })
}

/// How far a count is from what was there.
pub(crate) fn difference_to(on_hand: u64, was: Stock) -> i64 {
    i64::try_from(on_hand).unwrap_or(i64::MAX) - i64::try_from(was.on_hand).unwrap_or(0)
}

pub(crate) async fn read(app: &App, item_id: &ItemId) -> Result<Option<Stock>, Problem> {
    let items = [item_id.clone()];
    let stock = app.store.stock(&items).await?;
    Ok(stock.into_iter().flatten().next())
}

fn shown(item_id: &ItemId, stock: Stock) -> Response {
    let body = to_bytes(&StockBody::of(item_id, stock));
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

fn item(text: &str) -> Result<ItemId, Problem> {
    ItemId::parse(text).ok_or_else(not_counted)
}

fn not_counted() -> Problem {
    Problem::new(
        Code::NotFound,
        "The stock of this item is not counted: it is always to be had. PUT sets it.",
    )
}

pub(crate) fn on_hand(json: &Json) -> Result<u64, Wrong> {
    let number = json
        .as_integer()
        .and_then(|number| u64::try_from(number).ok());
    number
        .filter(|number| *number <= ON_HAND_MAX)
        .ok_or_else(|| Wrong::new("value", "must be a whole number from 0 to 10^12"))
}

fn difference(json: &Json) -> Result<i64, Wrong> {
    json.as_integer()
        .filter(|number| *number != 0 && number.unsigned_abs() <= ON_HAND_MAX)
        .ok_or_else(|| {
            Wrong::new(
                "value",
                "must be a whole number from -10^12 to 10^12, not 0",
            )
        })
}

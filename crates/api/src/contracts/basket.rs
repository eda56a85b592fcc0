//! The basket contract: `{customer_name, items: [{name, quantity}]}` in, the whole order out; a
//! list of all orders, a word for a status, and deleting from view. A key is honoured, not needed;
//! unknown fields are ignored, and the order is recorded only.

use crate::extract::{self, OrderPath};
use crate::fields::{At, Faults, Fields, array, quantity, text};
use crate::layers::{About, Context};
use crate::placing::{self, Asked};
use crate::preconditions::Preconditions;
use crate::problem::Problem;
use crate::renderers::{BasketBody, BasketListBody, MessageBody, to_bytes};
use crate::v1::orders::{JSON, created};
use crate::{App, cached, changing, contracts, cursor, renderers};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use domain::idempotency::{Fingerprint, Key, Operation};
use domain::json::Json;
use domain::order::LINES_MAX;
use domain::place::Draft;
use domain::text::Label;
use domain::{Line, Money, Order, recorded};
use std::sync::Arc;
use store::OrderQuery;
use store::cache::{Entry, View};
use utoipa::ToSchema;

/// The most orders of the list: some three megabytes. Whoever has more of them pages at `/v1`.
const ORDERS_MAX: usize = 10_000;
/// Orders that are read at a time, so that no read holds a connection for long.
const PAGE: usize = 1_000;

/// An order to place.
#[derive(ToSchema)]
#[schema(as = NewBasket)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewBasketBody {
    /// Who it is for.
    #[schema(min_length = 1, max_length = 200, example = "Ada")]
    customer_name: String,
    /// What is ordered.
    #[schema(min_items = 1, max_items = 40)]
    items: Vec<NewItemBody>,
}

/// One row of an order to place.
#[derive(ToSchema)]
#[schema(as = NewBasketItem)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewItemBody {
    /// What it is about.
    #[schema(min_length = 1, max_length = 200, example = "Pen")]
    name: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

/// A word for the status of an order.
#[derive(ToSchema)]
#[schema(as = NewStatus)]
#[expect(dead_code, reason = "says in the document what `label` reads")]
pub(crate) struct NewStatusBody {
    /// Any word.
    #[schema(min_length = 1, max_length = 20, example = "shipped")]
    status: String,
}

/// Reads a body of this form.
pub(super) fn read(app: &App, key: Option<Key>, body: &Json) -> Result<Asked, Problem> {
    let operation = Operation::PlaceContractOrder;
    Ok(Asked {
        draft: draft(app, body)?,
        operation,
        renderer: renderers::BASKET,
        key: key.map(|key| (key, Fingerprint::of(operation, body))),
        after_commit: extract::AfterCommit::Answer,
    })
}

fn draft(app: &App, body: &Json) -> Result<Draft, Problem> {
    let fields = Fields::of_body(body)?;
    let mut faults = Faults::default();
    let customer_name = fields.required("customer_name", &mut faults, text);
    let items = fields.required("items", &mut faults, |value| array(value, 1, LINES_MAX));
    let at = fields.at("items");
    let lines: Vec<Line> = items
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(index, item)| line(item, At::Index(&at, index), &mut faults))
        .collect();
    let read = faults.check(customer_name);
    let customer_name = read.map_err(|problem| in_own_words(problem, words(body)))?;
    Ok(Draft {
        contract: contracts::BASKET,
        customer_id: None,
        customer_name: Some(customer_name),
        currency: None,
        lines,
        expected_total_minor: None,
        fulfil: app.settings.fulfil_all_contracts,
        metadata: None,
    })
}

fn line(item: &Json, at: At<'_>, faults: &mut Faults) -> Option<Line> {
    let fields = Fields::of_value(item, at, faults)?;
    let name = fields.required("name", faults, text);
    let quantity = fields.required("quantity", faults, quantity);
    Some(Line {
        item_id: None,
        name: Some(name?),
        quantity: quantity?,
        unit_price_minor: Money::ZERO,
    })
}

/// A problem with a body as this contract tells it: 400, and its users' words first.
fn in_own_words(problem: Problem, words: &str) -> Problem {
    problem.with_status(400).beginning_with(words)
}

/// What the older system says of a body, the first thing that is wrong with it.
fn words(body: &Json) -> &'static str {
    let items = match (body.get("customer_name"), body.get("items")) {
        (Some(Json::String(_)), Some(Json::Array(items))) if !items.is_empty() => items,
        _ => return "Request must include 'customer_name' and a non-empty list of 'items'.",
    };
    let integer = |item: &Json| item.get("quantity").and_then(Json::as_integer);
    if items.iter().any(|item| !matches!(item, Json::Object(_))) {
        "Each item must be an object with 'name' and 'quantity'."
    } else if items
        .iter()
        .any(|item| item.get("name").is_none() || item.get("quantity").is_none())
    {
        "Each item requires 'name' and 'quantity'."
    } else if items.iter().any(|item| integer(item).is_none()) {
        "Quantity must be an integer."
    } else if items.iter().any(|item| integer(item) < Some(1)) {
        "Quantity must be greater than zero."
    } else {
        "A value is out of bounds."
    }
}

/// Places the order and answers in this contract's words.
pub(super) async fn place(app: &App, context: &Context, asked: Asked) -> Result<Response, Problem> {
    let placed = placing::place(app, context, asked).await?;

    let location = format!("/orders/{}", placed.order_id);
    Ok(created(placed, &location))
}

/// List all orders, newest first
///
/// Orders of every contract, in the words of the basket contract. It stops at 10,000 orders and
/// then says `truncated`; the header `Link` leads on.
#[utoipa::path(
    get,
    path = "/orders",
    operation_id = "list_contract_orders",
    tag = "contracts",
    responses((status = 200, description = "The orders", body = BasketListBody, headers(
        ("Link" = String, description = "What follows, as `rel=\"next\"`, where it is truncated"),
        ("X-Cache" = String, description = "Whether the answer was kept: `hit`, `miss` or `bypass`"),
    )))
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let fill = async { all(&app).await.map(Some) };
    let (entry, source) = cached::read(&app, View::List, fill).await?;

    let entry = entry.expect("there is a list, if an empty one");
    Ok(cached::listed(entry, source))
}

async fn all(app: &App) -> Result<Entry, Problem> {
    let mut orders: Vec<Order> = Vec::new();
    let mut before = None;
    loop {
        let query = OrderQuery {
            customer_id: None,
            status: None,
            from: None,
            before,
            limit: PAGE.min(ORDERS_MAX - orders.len()),
        };
        let page = app.store.orders(query).await?;
        orders.extend(page.items);
        before = page.next;
        if before.is_none() || orders.len() == ORDERS_MAX {
            break;
        }
    }
    let link = before.map(|position| {
        let cursor = cursor::seal(&app.cursor_key, position.as_uuid().as_bytes(), "");
        format!("</v1/orders?limit=100&cursor={cursor}>; rel=\"next\"")
    });
    let body = BasketListBody::of(&orders, before.is_some());
    Ok(Entry {
        head: link.unwrap_or_default().into(),
        body: to_bytes(&body).into(),
    })
}

/// Give an order a word for its status
///
/// Only an order that is recorded only, or has ended, takes one. `/v1` shows it as `label`.
#[utoipa::path(
    patch,
    path = "/orders/{order_id}/status",
    operation_id = "label_contract_order",
    tag = "contracts",
    request_body = NewStatusBody,
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
        ("X-Debug-Fail-After-Commit" = Option<String>, Header, description = "`true`: the answer is lost on purpose once all is written, where the operator allows that"),
    ),
    responses(
        (status = 200, description = "The order as it is now", body = BasketBody, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
        (status = 409, description = "The order is under fulfilment", body = crate::problem::Document),
        (status = 412, description = "It has another version", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition"]))),
)]
pub(crate) async fn label(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    OrderPath(id): OrderPath,
    request: Request,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(request.headers());
    let after_commit = extract::after_commit(&app, request.headers());
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let mut faults = Faults::default();
    let label: Option<Label> = Fields::of_body(&body)?.required("status", &mut faults, text);
    let label = faults
        .check(label)
        .map_err(|problem| in_own_words(problem, "Request must include 'status'."))?;

    let order = changing::order(&app, id, &preconditions, |order| {
        let occasion = placing::occasion(&app, &context);
        Ok(recorded::label(order, label.clone(), occasion)?)
    })
    .await?;

    after_commit.check()?;
    let mut response = json(&BasketBody::of(&order));
    let etag = cached::etag(order.version);
    let etag = etag.parse().expect("a quoted number is ASCII");
    response.headers_mut().insert(ETAG, etag);
    response.extensions_mut().insert(About(id));
    Ok(response)
}

/// Delete an order from view
///
/// No read shows it any more; its ledger entry stays.
#[utoipa::path(
    delete,
    path = "/orders/{order_id}",
    operation_id = "delete_contract_order",
    tag = "contracts",
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
        ("X-Debug-Fail-After-Commit" = Option<String>, Header, description = "`true`: the answer is lost on purpose once all is written, where the operator allows that"),
    ),
    responses(
        (status = 200, description = "Deleted", body = MessageBody),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
        (status = 409, description = "The order is under fulfilment", body = crate::problem::Document),
        (status = 412, description = "It has another version", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition"]))),
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    OrderPath(id): OrderPath,
    request: Request,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(request.headers());
    let after_commit = extract::after_commit(&app, request.headers());

    changing::order(&app, id, &preconditions, |order| {
        let occasion = placing::occasion(&app, &context);
        Ok(recorded::hide(order, occasion)?)
    })
    .await?;

    after_commit.check()?;
    let message = format!("Order '{id}' has been deleted.");
    let mut response = json(&MessageBody::new(message));
    response.extensions_mut().insert(About(id));
    Ok(response)
}

fn json(body: &impl serde::Serialize) -> Response {
    ([(CONTENT_TYPE, JSON)], to_bytes(body)).into_response()
}

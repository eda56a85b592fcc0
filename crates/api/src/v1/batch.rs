//! `POST /v1/orders/batch`: many orders in one request, each with its own key and its own outcome.
//!
//! Not all-or-nothing: an order of a batch is the same as one by itself. They are committed at the
//! same time, so that they share the store's groups.

use super::draft;
use super::orders::{JSON, asked, needed};
use crate::App;
use crate::extract::{self, key};
use crate::fields::{At, Faults, Fields, Wrong, array};
use crate::layers::Context;
use crate::placing::{self, Answered, Asked, Placed};
use crate::problem::Problem;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use domain::idempotency::Key;
use domain::json::Json;
use futures_util::future::join_all;
use std::sync::Arc;
use utoipa::ToSchema;

/// The most orders of one batch.
const ITEMS_MAX: usize = 500;

/// Orders to place.
#[derive(ToSchema)]
#[schema(as = NewBatch)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `place` reads")]
pub(crate) struct NewBatchBody {
    /// The orders.
    #[schema(min_items = 1, max_items = 500)]
    items: Vec<NewItemBody>,
}

/// One order to place, under its own key.
#[derive(ToSchema)]
#[schema(as = NewBatchItem)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `place` reads")]
pub(crate) struct NewItemBody {
    /// As the header `Idempotency-Key` of an order by itself.
    idempotency_key: String,
    /// The order.
    order: draft::NewOrderBody,
}

/// What became of the orders, in the order in which they were sent.
#[derive(ToSchema)]
#[schema(as = Batch)]
#[expect(dead_code, reason = "says in the document what `reply` writes")]
pub(crate) struct BatchBody<'a> {
    /// One for each order sent.
    items: Vec<ItemBody<'a>>,
}

/// What became of one order: `order` where it was placed, else `problem`.
#[derive(ToSchema)]
#[schema(as = BatchItem)]
#[expect(dead_code, reason = "says in the document what `reply` writes")]
pub(crate) struct ItemBody<'a> {
    /// Its place in the batch, from 0.
    index: usize,
    /// The status that it would have had by itself.
    status: u16,
    /// `true` where its key had placed it before.
    replayed: Option<bool>,
    /// The order.
    order: Option<crate::renderers::OrderBody<'a>>,
    /// Why it was not placed.
    problem: Option<crate::problem::Document<'a>>,
}

/// Place up to 500 orders
#[utoipa::path(
    post,
    path = "/v1/orders/batch",
    operation_id = "place_orders",
    tag = "orders",
    request_body = NewBatchBody,
    responses(
        (status = 200, description = "All are placed", body = BatchBody),
        (status = 207, description = "Some are not; each item says which and why", body = BatchBody),
    )
)]
pub(crate) async fn place(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let body = extract::json(&app, request, app.settings.batch_max_bytes).await?;
    let items = items(&body)?;

    let outcomes = join_all(items.iter().enumerate().map(|(index, item)| {
        let asked = read(&app, item, index);
        let (app, context) = (&app, &context);
        async move { placing::place(app, context, asked?).await }
    }))
    .await;

    Ok(reply(&app, &context, outcomes))
}

fn items(body: &Json) -> Result<&[Json], Problem> {
    let fields = Fields::of_body(body)?;
    let mut faults = Faults::default();
    fields.only(&["items"], &mut faults);
    let items = fields.required("items", &mut faults, |value| array(value, 1, ITEMS_MAX));
    faults.check(items)
}

fn read(app: &App, item: &Json, index: usize) -> Result<Asked, Problem> {
    let mut faults = Faults::default();
    let in_items = At::Key(&At::Root, "items");
    let Some(fields) = Fields::of_value(item, At::Index(&in_items, index), &mut faults) else {
        return faults.check(None);
    };
    fields.only(&["idempotency_key", "order"], &mut faults);
    let key = needed(app, key_in(&fields, &mut faults)?)?;
    let order = fields.required("order", &mut faults, Ok);
    let draft = order.and_then(|order| {
        let order = Fields::of_value(order, fields.at("order"), &mut faults)?;
        draft::read(&order, &mut faults)
    });
    let draft = faults.check(draft)?;
    Ok(asked(
        draft,
        key,
        order.expect("there is a draft, so there was an order"),
    ))
}

/// The key of an item. A wrong one is the same problem as in a header.
fn key_in(fields: &Fields<'_>, faults: &mut Faults) -> Result<Option<Key>, Problem> {
    let text = fields.optional("idempotency_key", faults, |value| match value {
        Json::String(text) => Ok(text),
        _ => Err(Wrong::new("wrong_type", "must be a string")),
    });
    text.map(|text| key(text.as_bytes())).transpose()
}

fn reply(app: &App, context: &Context, outcomes: Vec<Result<Placed, Problem>>) -> Response {
    let request_id = context.request_id.as_str();
    let all_placed = outcomes.iter().all(Result::is_ok);
    let mut body = b"{\"items\":[".to_vec();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let (status, name, text) = match outcome {
            Ok(Placed { body, answer, .. }) => {
                let again = answer == Answered::Again;
                let name = if again {
                    r#""replayed":true,"order""#
                } else {
                    r#""order""#
                };
                (StatusCode::CREATED.as_u16(), name, body)
            }
            Err(problem) => {
                problem.report(app, request_id);
                (
                    problem.status(),
                    r#""problem""#,
                    problem
                        .to_json(request_id, context.trace, &context.prefix)
                        .into(),
                )
            }
        };
        let comma = if index == 0 { "" } else { "," };
        body.extend(format!(r#"{comma}{{"index":{index},"status":{status},{name}:"#).bytes());
        body.extend_from_slice(&text);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    let status = if all_placed {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

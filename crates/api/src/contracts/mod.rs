//! The wire forms of older systems at the root paths, one file each. The body of a `POST /orders`
//! says which one it is; an order is answered in the words it was placed in.

pub(crate) mod basket;
pub(crate) mod catalogue;
pub(crate) mod event;
pub(crate) mod receipt;

use crate::extract::{self, OrderPath};
use crate::fields::Fields;
use crate::layers::Context;
use crate::placing::Asked;
use crate::problem::{Code, Problem};
use crate::renderers::{
    BasketBody, EventOrderBody, EventPlacedBody, OrderBody, ReceiptBody, ReceiptOrderBody, to_bytes,
};
use crate::v1::orders::visible;
use crate::{App, cached};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::Order;
use domain::order::Contract;
use std::sync::Arc;
use store::cache::View;
use utoipa::ToSchema;

/// The product's own form.
pub(crate) const V1: Contract = Contract(1);
/// `{customer_id, item_id, quantity}`.
pub const RECEIPT: Contract = Contract(2);

/// `{customer_name, items: [{name, quantity}]}`.
pub const BASKET: Contract = Contract(3);
/// `{customer_name, product_name, quantity}`.
pub const EVENT: Contract = Contract(4);

/// An order to place, in one of the forms.
#[derive(ToSchema)]
#[schema(as = NewContractOrder)]
#[serde(untagged)]
#[expect(dead_code, reason = "says in the document what `place` reads")]
pub(crate) enum NewContractOrderBody {
    Receipt(receipt::NewReceiptBody),
    Basket(basket::NewBasketBody),
    Event(event::NewEventOrderBody),
}

/// What a placing is answered, in the words of its contract.
#[derive(ToSchema)]
#[schema(as = ContractPlaced)]
#[serde(untagged)]
#[expect(dead_code, reason = "says in the document what `place` answers")]
pub(crate) enum ContractPlacedBody<'a> {
    Receipt(ReceiptBody),
    Basket(BasketBody<'a>),
    Event(EventPlacedBody<'a>),
}

/// An order, in the words of its contract.
#[derive(ToSchema)]
#[schema(as = ContractOrder)]
#[serde(untagged)]
#[expect(dead_code, reason = "says in the document what `show` answers")]
pub(crate) enum ContractOrderBody<'a> {
    Receipt(ReceiptOrderBody<'a>),
    Basket(BasketBody<'a>),
    Event(EventOrderBody<'a>),
    V1(OrderBody<'a>),
}

/// Place an order in the form of a contract
///
/// A body with `items` is the basket contract's: `{customer_name, items: [{name, quantity}]}`; one
/// with `product_name` the event contract's: `{customer_name, product_name, quantity}`; one with
/// `customer_id` or `item_id` the receipt contract's: `{customer_id, item_id, quantity}`. Orders of
/// the event contract are fulfilled; the others are recorded, not paid for.
#[utoipa::path(
    post,
    path = "/orders",
    operation_id = "place_contract_order",
    tag = "contracts",
    request_body = NewContractOrderBody,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 printable ASCII characters; a receipt needs one"),
        ("X-Debug-Fail-After-Commit" = Option<String>, Header, description = "`true`: the answer is lost on purpose once all is written, where the operator allows that"),
    ),
    responses(
        (status = 201, description = "Placed, now or by an earlier request with this key", body = ContractPlacedBody, headers(
            ("Location" = String, description = "The path of the order"),
            ("ETag" = String, description = "Its version"),
            ("Idempotent-Replayed" = String, description = "`true` where the answer was given before"),
        )),
        (status = 409, description = "The key was used for another request, or too long ago", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["idempotency_key_missing", "amount_overflow", "item_unknown", "currency_mixed"]))),
)]
pub(crate) async fn place(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let key = extract::idempotency_key(request.headers());
    let after_commit = extract::after_commit(&app, request.headers());
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let fields = Fields::of_body(&body)?;

    if fields.has("items") {
        let asked = Asked {
            after_commit,
            ..basket::read(&app, key?, &body)?
        };
        return basket::place(&app, &context, asked).await;
    }
    if fields.has("product_name") {
        let asked = Asked {
            after_commit,
            ..event::read(key?, &body)?
        };
        return event::place(&app, &context, asked).await;
    }
    if fields.has("customer_id") || fields.has("item_id") {
        let key = key?.ok_or_else(extract::key_missing)?;
        let asked = Asked {
            after_commit,
            ..receipt::read(&app, key, &body)?
        };
        return receipt::place(&app, &context, asked).await;
    }
    Err(Problem::new(
        Code::InvalidBody,
        "The body has none of the forms of an order: {customer_id, item_id, quantity}, \
         {customer_name, items: [{name, quantity}]} or {customer_name, product_name, quantity}.",
    ))
}

/// Read an order in the words it was placed in
#[utoipa::path(
    get,
    path = "/orders/{order_id}",
    operation_id = "show_contract_order",
    tag = "contracts",
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version at hand"),
    ),
    responses(
        (status = 200, description = "The order; one placed at `/v1`, in the words of `/v1`", body = ContractOrderBody, headers(
            ("ETag" = String, description = "Its version"),
            ("X-Cache" = String, description = "Whether the answer was kept: `hit`, `miss` or `bypass`"),
        )),
        (status = 304, description = "The version at hand is the latest", headers(
            ("ETag" = String, description = "Its version"),
            ("X-Cache" = String, description = "Whether the answer was kept: `hit`, `miss` or `bypass`"),
        )),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    OrderPath(id): OrderPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let fill = async {
        let order = visible(&app, id).await?;
        Ok(order.map(|order| cached::order(order.version, in_own_words(&order))))
    };
    let (entry, source) = cached::read(&app, View::Detail(id), fill).await?;
    let entry = entry.ok_or_else(extract::no_such_order)?;

    Ok(cached::shown(entry, source, &headers))
}

/// An order in the words of the contract that it was placed under.
fn in_own_words(order: &Order) -> Vec<u8> {
    match order.contract {
        RECEIPT => to_bytes(&ReceiptOrderBody::of(order)),
        BASKET => to_bytes(&BasketBody::of(order)),
        EVENT => to_bytes(&EventOrderBody::of(order)),
        _ => to_bytes(&OrderBody::of(order)),
    }
}

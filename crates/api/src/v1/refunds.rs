//! `/v1/orders/{order_id}/refunds`: give money of a completed order back.

use super::orders::{IDEMPOTENT_REPLAYED, JSON, visible};
use crate::fields::{Faults, Fields, Wrong, amount, boolean, text};
use crate::keyed::Keyed;
use crate::layers::{About, Context};
use crate::placing::Answered;
use crate::preconditions::Preconditions;
use crate::problem::{Code, Problem};
use crate::renderers::{display, to_bytes};
use crate::{App, cached, changing, extract};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::fulfil::{self, Case, Inventory};
use domain::idempotency::Operation;
use domain::json::Json;
use domain::{Change, EventId, EventKind, Money, Name, OrderId, Refund, Timestamp, WriteSet};
use serde::Serialize;
use std::sync::Arc;
use store::Committed;
use utoipa::ToSchema;

/// Money that is given back, or is to be.
#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
pub(crate) struct RefundBody<'a> {
    /// Its name, for ever.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    refund_id: EventId,
    /// The order whose money it is.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = "uuid")]
    order_id: OrderId,
    /// How much, in minor units of the order's currency.
    amount_minor: i64,
    /// `pending` until the payment service says what became of it; then `succeeded` or `failed`.
    #[schema(example = "pending")]
    status: &'static str,
    /// Why, in the words of whoever asked for it.
    reason: Option<&'a str>,
    /// Whether the goods came back as well.
    restock: bool,
    /// How many tries failed since it was asked for or brought back.
    tries: u32,
    /// What the payment service said last, where it was not that it is done.
    detail: Option<&'a str>,
    /// When it was asked for.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When something last became of it.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// The refunds of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = Refunds)]
pub(crate) struct RefundsBody<'a> {
    /// The refunds, the oldest first.
    items: Vec<RefundBody<'a>>,
}

/// Money to give back.
#[derive(ToSchema)]
#[schema(as = NewRefund)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewRefundBody {
    /// How much, in minor units of the order's currency; all that is left where it is not said.
    #[schema(minimum = 1)]
    amount_minor: Option<i64>,
    /// Why, in a sentence; kept in the timeline.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
    /// Whether the goods came back: those whose stock is counted are there again, once an order.
    #[schema(default = false)]
    restock: Option<bool>,
}

impl<'a> RefundBody<'a> {
    fn of(order_id: OrderId, refund: &'a Refund) -> Self {
        Self {
            refund_id: refund.id,
            order_id,
            amount_minor: refund.amount.as_minor(),
            status: refund.state.as_str(),
            reason: refund.reason.as_deref(),
            restock: refund.restock,
            tries: refund.tries,
            detail: refund.detail.as_deref(),
            created_at: refund.requested_at,
            updated_at: refund.updated_at,
        }
    }
}

/// What is asked for.
struct Asked {
    amount: Option<Money>,
    reason: Name,
    restock: bool,
}

/// Give money of a completed order back
///
/// It is asked for once, however often this is sent under one key, and the payment service is
/// asked until it says what became of it.
#[utoipa::path(
    post,
    path = "/v1/orders/{order_id}/refunds",
    operation_id = "request_refund",
    tag = "orders",
    request_body = NewRefundBody,
    params(
        ("order_id" = String, Path, description = "The order"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 printable ASCII characters"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version of the order that is meant"),
    ),
    responses(
        (status = 202, description = "It is asked for, now or by an earlier request with this key", body = RefundBody, headers(
            ("Location" = String, description = "The path of the refund"),
            ("Idempotent-Replayed" = String, description = "`true` where the answer was given before"),
        )),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
        (status = 409, description = "The order is not completed, not so much is left, or the key was used for another request", body = crate::problem::Document),
        (status = 412, description = "The order has another version", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["illegal_transition", "refund_too_large"]))),
)]
pub(crate) async fn request(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    extract::OrderPath(id): extract::OrderPath,
    request: Request,
) -> Result<Response, Problem> {
    let preconditions = Preconditions::of(request.headers());
    let key = extract::idempotency_key(request.headers())?;
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let asked = read(&app, &body)?;
    let operation = Operation::RequestRefund;
    let keyed = key.map(|key| Keyed::new(&context, operation, key, &of_order(id, body)));
    if let Some(keyed) = &keyed {
        // What was allowed then may be refused now: the key comes first.
        let seen = app.store.seen(&keyed.scope).await?;
        let forget_before = app.settings.retention.forget_before(app.clock.now());
        if let Some(seen) = seen.filter(|seen| seen.created_at >= forget_before) {
            let body = keyed.replay(&app, &seen)?;
            return Ok(accepted(id, body, Answered::Again));
        }
    }

    for _ in 0..changing::TRIES {
        let order = visible(&app, id)
            .await?
            .ok_or_else(extract::no_such_order)?;
        preconditions.check(Some(&cached::etag(order.version)))?;
        // After the order: where one is newer than it, the commit is refused.
        let refunds = Refund::told_by(&app.store.events(id).await?);
        let why = changing::by(&context, Some(asked.reason.as_str()));
        let case = Case {
            refunds,
            ..Case::new(order)
        };
        let mut write_set = changing::operated(&app, case, |case, moment| {
            fulfil::refund(case, asked.amount, asked.restock, why, moment)
        })?;
        let body = body_of(id, &write_set);
        let claim = |keyed: &Keyed| keyed.claim(&app, 202, &body, Some(id));
        write_set.claim = keyed.as_ref().map(claim);
        match app.store.commit(Arc::new(write_set)).await? {
            Committed::Done => {
                if keyed.is_some() {
                    app.metrics.keys_new.inc();
                }
                return Ok(accepted(id, body, Answered::First));
            }
            Committed::Refused(_) => {}
            Committed::Seen(seen) => {
                let keyed = keyed.as_ref().expect("only a claim meets a record");
                let body = keyed.replay(&app, &seen)?;
                return Ok(accepted(id, body, Answered::Again));
            }
        }
    }
    Err(changing::crowded())
}

/// List the refunds of an order
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/refunds",
    operation_id = "list_refunds",
    tag = "orders",
    params(("order_id" = String, Path, description = "The order")),
    responses(
        (status = 200, description = "The refunds, the oldest first", body = RefundsBody),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
    )
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    extract::OrderPath(id): extract::OrderPath,
) -> Result<Response, Problem> {
    let refunds = of(&app, id).await?;

    let items = refunds.iter().map(|refund| RefundBody::of(id, refund));
    let items = items.collect();
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&RefundsBody { items })).into_response())
}

/// Read a refund
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}/refunds/{refund_id}",
    operation_id = "show_refund",
    tag = "orders",
    params(
        ("order_id" = String, Path, description = "The order"),
        ("refund_id" = String, Path, description = "The refund"),
    ),
    responses(
        (status = 200, description = "The refund", body = RefundBody),
        (status = 404, description = "There is no such refund", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path((id, refund_id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = OrderId::parse(&id).ok_or_else(extract::no_such_order)?;
    let refunds = of(&app, id).await?;

    let wanted = |refund: &&Refund| Some(refund.id) == EventId::parse(&refund_id);
    let refund = refunds
        .iter()
        .find(wanted)
        .ok_or_else(|| Problem::new(Code::NotFound, "The order has no refund with this id."))?;
    let body = to_bytes(&RefundBody::of(id, refund));
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}

async fn of(app: &App, id: OrderId) -> Result<Vec<Refund>, Problem> {
    visible(app, id).await?.ok_or_else(extract::no_such_order)?;
    Ok(Refund::told_by(&app.store.events(id).await?))
}

fn read(app: &App, body: &Json) -> Result<Asked, Problem> {
    let fields = Fields::of_body(body)?;
    let mut faults = Faults::default();
    let amount = fields.optional("amount_minor", &mut faults, |json| {
        amount(json).and_then(|amount| {
            let positive = amount > Money::ZERO;
            positive
                .then_some(amount)
                .ok_or_else(|| Wrong::new("out_of_bounds", "must be at least 1"))
        })
    });
    let reason: Option<Name> = fields.required("reason", &mut faults, text);
    let restock = fields.optional("restock", &mut faults, |json| {
        let restock = boolean(json)?;
        if restock && app.settings.rules.inventory == Inventory::Outside {
            let words = "must be false or left out: the stock is kept by the inventory service";
            return Err(Wrong::new("value", words));
        }
        Ok(restock)
    });
    fields.only(&["amount_minor", "reason", "restock"], &mut faults);
    faults.check(reason.map(|reason| Asked {
        amount,
        reason,
        restock: restock.unwrap_or(false),
    }))
}

/// What a client sent, with the order that it sent it to.
fn of_order(id: OrderId, body: Json) -> Json {
    let id = Json::String(id.to_string().into());
    Json::Array(vec![id, body])
}

/// The answer for the refund that a write set asks for.
fn body_of(id: OrderId, write_set: &WriteSet) -> Vec<u8> {
    let asked = write_set.changes.iter().find_map(|change| match change {
        Change::Event(event) if event.kind == EventKind::RefundRequested => Some(event),
        _ => None,
    });
    let refunds = Refund::told_by(asked.map_or(&[], std::slice::from_ref));
    let refund = refunds.first().expect("it asks for a refund");
    to_bytes(&RefundBody::of(id, refund))
}

fn accepted(id: OrderId, body: Vec<u8>, answer: Answered) -> Response {
    /// As much of an answer as its path needs.
    #[derive(serde::Deserialize)]
    struct Named {
        refund_id: String,
    }
    let named: Option<Named> = serde_json::from_slice(&body).ok();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.extensions_mut().insert(About(id));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Some(Named { refund_id }) = named {
        let path = format!("/v1/orders/{id}/refunds/{refund_id}");
        let path = HeaderValue::try_from(path).expect("ids are ASCII");
        headers.insert(LOCATION, path);
    }
    if answer == Answered::Again {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

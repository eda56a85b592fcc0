//! `/v1/orders`: place one, read one, list them.

use super::draft;
use crate::extract::{self, OrderPath, Query};
use crate::fields::{Faults, Fields};
use crate::layers::{About, Context};
use crate::placing::{self, Answered, Asked, Placed};
use crate::problem::Problem;
use crate::renderers::{self, OrderBody, to_bytes};
use crate::{App, cursor};
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::idempotency::{Fingerprint, Key, Operation};
use domain::json::Json;
use domain::{CustomerId, Order, OrderId, Status, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use store::OrderQuery;
use utoipa::ToSchema;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LIMIT: usize = 20;
const LIMIT_MAX: usize = 100;

/// Place an order
///
/// The same key with the same body gives the same answer, however often it is sent.
#[utoipa::path(
    post,
    path = "/v1/orders",
    tag = "orders",
    request_body = draft::NewOrderBody,
    params(("Idempotency-Key" = String, Header, description = "Names the request: 1 to 255 printable ASCII characters")),
    responses(
        (status = 201, description = "Placed, now or by an earlier request with this key", body = OrderBody, headers(
            ("Location" = String, description = "The path of the order"),
            ("ETag" = String, description = "Its version"),
            ("Idempotent-Replayed" = String, description = "`true` where the answer was given before"),
        )),
        (status = 409, description = "The key was used for another request, or too long ago", body = crate::problem::Document),
    )
)]
pub(crate) async fn place(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let key = extract::idempotency_key(headers);
    let after_commit = extract::after_commit(&app, headers);
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let key = needed(&app, key?)?;
    let mut faults = Faults::default();
    let draft = draft::read(&Fields::of_body(&body)?, &app.settings, &mut faults);
    let asked = Asked {
        after_commit,
        ..asked(faults.check(draft)?, key, &body)
    };

    let placed = placing::place(&app, &context, asked).await?;

    let location = format!("/v1/orders/{}", placed.order_id);
    Ok(created(placed, &location))
}

/// What `/v1` asks for, be it alone or in a batch.
pub(crate) fn asked(draft: domain::place::Draft, key: Option<Key>, body: &Json) -> Asked {
    let operation = Operation::PlaceOrder;
    Asked {
        draft,
        operation,
        renderer: renderers::V1,
        key: key.map(|key| (key, Fingerprint::of(operation, body))),
        after_commit: extract::AfterCommit::Answer,
    }
}

/// The key, if there is one or none is needed.
pub(crate) fn needed(app: &App, key: Option<Key>) -> Result<Option<Key>, Problem> {
    if key.is_none() && app.settings.idempotency_required {
        return Err(extract::key_missing());
    }
    Ok(key)
}

/// The 201 of a placing, in whatever contract.
pub(crate) fn created(placed: Placed, location: &str) -> Response {
    let mut response = Response::new(Body::from(placed.body));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ETAG, HeaderValue::from_static("\"1\""));
    headers.insert(
        LOCATION,
        HeaderValue::from_str(location).expect("a path with a UUID is ASCII"),
    );
    if placed.answer == Answered::Again {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(About(placed.order_id));
    response
}

/// Read an order
#[utoipa::path(
    get,
    path = "/v1/orders/{order_id}",
    tag = "orders",
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version at hand"),
    ),
    responses(
        (status = 200, description = "The order", body = OrderBody, headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "The version at hand is the latest"),
        (status = 404, description = "There is no such order", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    OrderPath(id): OrderPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = visible(&app, id).await?;

    Ok(shown(&order, &headers, || to_bytes(&OrderBody::of(&order))))
}

/// The order with this id, unless nobody may see it any more.
pub(crate) async fn visible(app: &App, id: OrderId) -> Result<Order, Problem> {
    let order = app.store.order(id).await?;
    order
        .filter(|order| order.hidden_at.is_none())
        .ok_or_else(extract::no_such_order)
}

/// The order as `body` has it, or 304 where the client has this version.
pub(crate) fn shown(
    order: &Order,
    headers: &HeaderMap,
    body: impl FnOnce() -> Vec<u8>,
) -> Response {
    let etag = format!("\"{}\"", order.version);
    let mut response = if is_known(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, JSON)], body()).into_response()
    };
    let etag = HeaderValue::from_str(&etag).expect("a quoted number is ASCII");
    response.headers_mut().insert(ETAG, etag);
    response
}

/// Whether `If-None-Match` names `etag`, weak or not, or is `*`.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderList)]
pub(crate) struct ListBody<'a> {
    /// The orders, newest first; there may be fewer than `limit`, even none, before the end.
    items: Vec<OrderBody<'a>>,
    /// Where the next page begins; null at the end of the list.
    next_cursor: Option<String>,
}

/// List orders, newest first
#[utoipa::path(
    get,
    path = "/v1/orders",
    tag = "orders",
    params(
        ("limit" = Option<u32>, Query, description = "The most orders of a page: 1 to 100, 20 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query, description = "Only orders with this status; not with `customer_id`"),
        ("customer_id" = Option<String>, Query, description = "Only orders of this customer; not with `status`"),
        ("created_from" = Option<String>, Query, description = "Only orders placed at this RFC 3339 time or later"),
        ("created_to" = Option<String>, Query, description = "Only orders placed before this RFC 3339 time"),
    ),
    responses((status = 200, description = "A page of orders", body = ListBody, headers(
        ("Link" = String, description = "The next page, as `rel=\"next\"`"),
    )))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let list = List::parse(query.as_deref())?;
    let filters = list.filters();
    let after = list.cursor.as_deref();
    let after = after
        .map(|text| cursor::open(&app.cursor_key, text, &filters))
        .transpose()?;

    let page = app.store.orders(list.query(after)).await?;

    let next = page
        .next
        .map(|position| cursor::seal(&app.cursor_key, position, &filters));
    let visible = page.items.iter().filter(|order| order.hidden_at.is_none());
    let body = ListBody {
        items: visible.map(OrderBody::of).collect(),
        next_cursor: next,
    };
    let mut response = ([(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response();
    if let Some(next) = body.next_cursor {
        let link = format!(
            "</v1/orders?limit={}&{filters}cursor={next}>; rel=\"next\"",
            list.limit
        );
        let link = HeaderValue::from_str(&link).expect("a query string is ASCII");
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// What a list was asked for.
struct List {
    limit: usize,
    cursor: Option<String>,
    status: Option<Status>,
    customer_id: Option<CustomerId>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl List {
    fn parse(query: Option<&str>) -> Result<Self, Problem> {
        const TIME: &str = "must be an RFC 3339 time, as in 2026-01-31T12:00:00Z";
        let known = [
            "limit",
            "cursor",
            "status",
            "customer_id",
            "created_from",
            "created_to",
        ];
        let mut query = Query::of(query, &known);
        let list = Self {
            limit: query
                .get("limit", "must be an integer from 1 to 100", |text| {
                    text.parse()
                        .ok()
                        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                })
                .unwrap_or(LIMIT),
            cursor: query.get("cursor", "must be a cursor", |text| Some(text.to_owned())),
            status: query.get("status", "must be the status of an order", Status::parse),
            customer_id: query.get(
                "customer_id",
                "must be 1 to 128 characters",
                CustomerId::parse,
            ),
            from: query.get("created_from", TIME, Timestamp::parse),
            to: query.get("created_to", TIME, Timestamp::parse),
        };
        if list.status.is_some() && list.customer_id.is_some() {
            query.refuse(
                "customer_id",
                "cannot stand beside status; filter by one of the two",
            );
        }
        query.check().map(|()| list)
    }

    /// The filters as part of a query string: what a cursor is bound to.
    fn filters(&self) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        if let Some(status) = self.status {
            text.append_pair("status", status.as_str());
        }
        if let Some(customer_id) = &self.customer_id {
            text.append_pair("customer_id", customer_id.as_str());
        }
        for (name, time) in [("created_from", self.from), ("created_to", self.to)] {
            if let Some(time) = time {
                text.append_pair(name, &time.to_string());
            }
        }
        let mut text = text.finish();
        if !text.is_empty() {
            text.push('&');
        }
        text
    }

    fn query(&self, after: Option<OrderId>) -> OrderQuery {
        let to = self.to.map(OrderId::least_at);
        OrderQuery {
            customer_id: self.customer_id.clone(),
            status: self.status,
            from: self.from.map(OrderId::least_at),
            before: after.into_iter().chain(to).min(),
            limit: self.limit,
        }
    }
}

//! `/v1/orders`: place one, read one, list them.

mod waiting;

use super::draft;
use crate::extract::{self, OrderPath, Query};
use crate::fields::{Faults, Fields};
use crate::layers::{About, Context};
use crate::placing::{self, Answered, Asked, Placed};
use crate::problem::Problem;
use crate::renderers::{self, OrderBody, to_bytes};
use crate::{App, cached, cursor};
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use domain::idempotency::{Fingerprint, Key, Operation};
use domain::json::Json;
use domain::{CustomerId, Order, OrderId, Status, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use store::OrderQuery;
use store::cache::{Entry, Source, View};
use utoipa::ToSchema;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Place an order
///
/// The same key with the same body gives the same answer, however often it is sent.
#[utoipa::path(
    post,
    path = "/v1/orders",
    operation_id = "place_order",
    tag = "orders",
    request_body = draft::NewOrderBody,
    params(
        ("Idempotency-Key" = String, Header, description = "Names the request: 1 to 255 printable ASCII characters"),
        ("X-Debug-Fail-After-Commit" = Option<String>, Header, description = "`true`: the answer is lost on purpose once all is written, where the operator allows that"),
    ),
    responses(
        (status = 201, description = "Placed, now or by an earlier request with this key", body = OrderBody, headers(
            ("Location" = String, description = "The path of the order"),
            ("ETag" = String, description = "Its version"),
            ("Idempotent-Replayed" = String, description = "`true` where the answer was given before"),
        )),
        (status = 409, description = "The key was used for another request, or too long ago", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["idempotency_key_missing", "amount_overflow", "price_changed", "item_unknown", "currency_mixed"]))),
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
    let draft = draft::read(&Fields::of_body(&body)?, &mut faults);
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
    operation_id = "show_order",
    tag = "orders",
    params(
        ("order_id" = String, Path, description = "The order"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version at hand"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, with `If-None-Match`: answer once the order is another, or after N seconds, at most 30"),
    ),
    responses(
        (status = 200, description = "The order", body = OrderBody, headers(
            ("ETag" = String, description = "Its version"),
            ("Preference-Applied" = String, description = "How many seconds the answer was waited for at the most"),
            ("X-Cache" = String, description = "Whether the answer was kept: `hit`, `miss` or `bypass`"),
        )),
        (status = 304, description = "The version at hand is the latest", headers(
            ("ETag" = String, description = "Its version"),
            ("Preference-Applied" = String, description = "How many seconds the answer was waited for at the most"),
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
    if let Some(wait) = waiting::wanted(&headers) {
        return waiting::shown(&app, id, &headers, wait).await;
    }
    let (entry, source) = detail(&app, id).await?;
    Ok(cached::shown(entry, source, &headers))
}

/// An order as it is now.
async fn detail(app: &App, id: OrderId) -> Result<(Entry, Source), Problem> {
    let fill = async {
        let order = visible(app, id).await?;
        Ok(order.map(|order| cached::order(order.version, to_bytes(&OrderBody::of(&order)))))
    };
    let (entry, source) = cached::read(app, View::V1Detail(id), fill).await?;
    Ok((entry.ok_or_else(extract::no_such_order)?, source))
}

/// The order with this id, unless nobody may see it any more.
pub(crate) async fn visible(app: &App, id: OrderId) -> Result<Option<Order>, Problem> {
    let order = app.store.order(id).await?;
    Ok(order.filter(|order| order.hidden_at.is_none()))
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
    operation_id = "list_orders",
    tag = "orders",
    params(
        ("limit" = Option<u32>, Query, description = "The most orders of a page: 1 to 100, 20 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query, description = "Only orders with this status"),
        ("customer_id" = Option<String>, Query, description = "Only orders of this customer"),
        ("created_from" = Option<String>, Query, description = "Only orders placed at this RFC 3339 time or later"),
        ("created_to" = Option<String>, Query, description = "Only orders placed before this RFC 3339 time"),
    ),
    responses((status = 200, description = "A page of orders", body = ListBody, headers(
        ("Link" = String, description = "The next page, as `rel=\"next\"`"),
        ("X-Cache" = String, description = "Whether the answer was kept: `hit`, `miss` or `bypass`"),
    )))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let list = List::parse(query.as_deref())?;
    let filters = list.filters();
    let after = list.after(&app)?;

    let fill = async { page(&app, &list, &filters, after).await.map(Some) };
    let (entry, source) = if after.is_none() {
        let key = View::V1List(format!("limit={}&{filters}", list.limit).into());
        cached::read(&app, key, fill).await?
    } else {
        // Whoever goes through all pages would only push out what others ask for.
        (fill.await?, Source::Bypass)
    };

    let entry = entry.expect("there is a page, if an empty one");
    Ok(cached::listed(entry, source))
}

async fn page(
    app: &App,
    list: &List,
    filters: &str,
    after: Option<OrderId>,
) -> Result<Entry, Problem> {
    let (orders, next) = list.page_after(app, after, list.limit).await?;
    let link = next.as_ref().map(|next| {
        let limit = list.limit;
        format!("</v1/orders?limit={limit}&{filters}cursor={next}>; rel=\"next\"")
    });
    let body = ListBody {
        items: orders.iter().map(OrderBody::of).collect(),
        next_cursor: next,
    };
    Ok(Entry {
        head: link.unwrap_or_default().into(),
        body: to_bytes(&body).into(),
    })
}

/// What a list was asked for.
pub(crate) struct List {
    limit: usize,
    cursor: Option<String>,
    status: Option<Status>,
    customer_id: Option<CustomerId>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl List {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Problem> {
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
            limit: query.limit(),
            cursor: query.cursor(),
            status: query.get("status", "must be the status of an order", Status::parse),
            customer_id: query.get(
                "customer_id",
                "must be 1 to 128 characters",
                CustomerId::parse,
            ),
            from: query.get("created_from", TIME, Timestamp::parse),
            to: query.get("created_to", TIME, Timestamp::parse),
        };
        query.check().map(|()| list)
    }

    /// Whether it is the first page.
    pub(crate) const fn is_first(&self) -> bool {
        self.cursor.is_none()
    }

    pub(crate) const fn status(&self) -> Option<Status> {
        self.status
    }

    pub(crate) const fn customer_id(&self) -> Option<&CustomerId> {
        self.customer_id.as_ref()
    }

    /// The orders of the page, `limit` at the most, and the cursor of the next one.
    pub(crate) async fn page(
        &self,
        app: &App,
        limit: usize,
    ) -> Result<(Vec<Order>, Option<String>), Problem> {
        self.page_after(app, self.after(app)?, limit).await
    }

    /// The order that the page begins after.
    fn after(&self, app: &App) -> Result<Option<OrderId>, Problem> {
        let cursor = self.cursor.as_deref();
        cursor
            .map(|text| cursor::open_order(&app.cursor_key, text, &self.filters()))
            .transpose()
    }

    async fn page_after(
        &self,
        app: &App,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<(Vec<Order>, Option<String>), Problem> {
        let page = app.store.orders(self.query(after, limit)).await?;
        let sealed = |position: OrderId| {
            let position = position.as_uuid();
            cursor::seal(&app.cursor_key, position.as_bytes(), &self.filters())
        };
        Ok((page.items, page.next.map(sealed)))
    }

    /// The filters as part of a query string: what a cursor is bound to.
    pub(crate) fn filters(&self) -> String {
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

    fn query(&self, after: Option<OrderId>, limit: usize) -> OrderQuery {
        let to = self.to.map(OrderId::least_at);
        OrderQuery {
            customer_id: self.customer_id.clone(),
            status: self.status,
            from: self.from.map(OrderId::least_at),
            before: after.into_iter().chain(to).min(),
            limit,
        }
    }
}

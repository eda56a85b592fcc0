//! Hidden routes that do all of a request but the storing: the ceiling that HTTP alone sets. Only
//! in builds with the feature `bench`.

use crate::extract;
use crate::fields::{Faults, Fields};
use crate::layers::Context;
use crate::placing::{self, Asked};
use crate::problem::Problem;
use crate::renderers::{OrderBody, to_bytes};
use crate::v1::draft;
use crate::v1::orders::{asked, created};
use crate::{App, cached};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use domain::order::Quantity;
use domain::place::{self, Draft, Occasion};
use domain::product::Prices;
use domain::{Currency, CustomerId, EventId, ItemId, Line, Money, Timestamp, WriteSet};
use std::hint::black_box;
use std::sync::Arc;
use store::cache::Source;

pub(crate) fn add_to(router: Router<Arc<App>>) -> Router<Arc<App>> {
    router
        .route("/bench/orders", post(decide))
        .route("/bench/orders/{order_id}", get(render))
}

async fn decide(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let key = extract::idempotency_key(request.headers());
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let mut faults = Faults::default();
    let draft = draft::read(&Fields::of_body(&body)?, &mut faults);
    let asked = asked(
        faults.check(draft)?,
        Some(key?.ok_or_else(extract::key_missing)?),
        &body,
    );

    let renderer = asked.renderer;
    let write_set = decided(&app, &context, asked)?;
    let placed = placing::placed(renderer, placing::order_in(&write_set))?;
    black_box(write_set);

    let location = format!("/v1/orders/{}", placed.order_id);
    Ok(created(placed, &location))
}

fn decided(app: &App, context: &Context, asked: Asked) -> Result<WriteSet, Problem> {
    let keyed = placing::keyed(app, context, &asked);
    let occasion = placing::occasion(app, context);
    let prices = Prices::none(app.settings.default_currency);
    Ok(place::place(asked.draft, &prices, occasion, keyed)?)
}

async fn render(
    extract::OrderPath(order_id): extract::OrderPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = Timestamp::from_millis(1_780_000_000_000);
    let event_id = EventId::new(order_id.as_uuid());
    let occasion = Occasion {
        order_id,
        event_id,
        now,
        fulfil_at: now,
        traceparent: None,
    };
    let write_set = place::place(fixed(), &Prices::none(Currency::USD), occasion, None)?;

    let order = placing::order_in(&write_set);
    let entry = cached::order(order.version, to_bytes(&OrderBody::of(order)));
    Ok(cached::shown(entry, Source::Bypass, &headers))
}

fn fixed() -> Draft {
    Draft {
        contract: crate::contracts::V1,
        customer_id: CustomerId::parse("cust1"),
        customer_name: None,
        currency: None,
        lines: vec![Line {
            item_id: ItemId::parse("item1"),
            name: None,
            quantity: Quantity::parse(1).expect("one is a quantity"),
            unit_price_minor: Money::ZERO,
        }],
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    }
}

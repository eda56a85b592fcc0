//! The operator's routes, as the users of an older system know them: `/admin/reset` and
//! `/admin/seed`. They exist where a password is set; a token of scope admin does as well.

use crate::App;
use crate::extract;
use crate::fields::{Faults, Fields, Wrong, boolean};
use crate::layers::Context;
use crate::placing;
use crate::problem::{Code, Problem};
use crate::renderers::{MessageBody, to_bytes};
use crate::v1::orders::JSON;
use crate::{catalogue, contracts};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::json::Json;
use domain::place::{self, Draft};
use domain::token::TokenScope;
use domain::{Status, WriteSet, demo};
use futures_util::future::try_join_all;
use std::sync::Arc;
use store::{Committed, OrderQuery};
use tracing::warn;
use utoipa::ToSchema;

/// The most orders that one request seeds.
const SEED_MAX: i64 = 100_000;
/// Orders that are placed at a time.
const SEED_GROUP: usize = 500;

/// How to reset.
#[derive(ToSchema)]
#[schema(as = Reset)]
#[expect(dead_code, reason = "says in the document what `reset` reads")]
pub(crate) struct ResetBody {
    /// The password, where the header has none.
    password: Option<String>,
    /// Also while orders are being paid for.
    force: Option<bool>,
}

/// Remove all that belongs to orders
///
/// There is no such route unless an admin password is configured. Products and tokens stay.
#[utoipa::path(
    post,
    path = "/admin/reset",
    operation_id = "reset_orders",
    tag = "admin",
    request_body = Option<ResetBody>,
    params(("X-Admin-Password" = Option<String>, Header, description = "The password; wins over one in the body")),
    responses(
        (status = 200, description = "Removed", body = MessageBody),
        (status = 404, description = "No admin password is configured", body = crate::problem::Document),
        (status = 409, description = "Orders are being paid for", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["orders_in_flight"]))),
)]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, body) = taken(&app, request).await?;
    let body = authorized(&app, &context, &headers, &body)?;
    let mut faults = Faults::default();
    let fields = body.as_ref().map(Fields::of_body).transpose()?;
    let force = fields.and_then(|fields| {
        fields.optional("password", &mut faults, is_text);
        fields.optional("force", &mut faults, boolean)
    });
    let force = faults.check(Some(force.unwrap_or_default()))?;
    if !force {
        none_in_flight(&app).await?;
    }

    let removed = app.store.reset().await?;

    warn!(removed, "Removed all {removed} orders, as the admin asked");
    let body = MessageBody::new("All orders have been removed.");
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response())
}

/// Refuses while an order is being paid for: nobody would know of the money any more.
async fn none_in_flight(app: &App) -> Result<(), Problem> {
    for status in [Status::Processing, Status::Compensating] {
        let mut before = None;
        loop {
            let query = OrderQuery {
                customer_id: None,
                status: Some(status),
                from: None,
                before,
                limit: 1,
            };
            let page = app.store.orders(query).await?;
            if !page.items.is_empty() {
                return Err(Problem::new(
                    Code::OrdersInFlight,
                    "Orders are being paid for. Wait until they have ended, or send \"force\": true.",
                ));
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// How many orders to make.
#[derive(ToSchema)]
#[schema(as = Seed)]
#[expect(dead_code, reason = "says in the document what `seed` reads")]
pub(crate) struct SeedBody {
    /// How many.
    #[schema(minimum = 1, maximum = 100_000)]
    count: u32,
    /// The same number makes the same orders; another each time where absent.
    random_seed: Option<i64>,
    /// The password, where the header has none.
    password: Option<String>,
}

/// Make demo orders
///
/// There is no such route unless an admin password is configured.
#[utoipa::path(
    post,
    path = "/admin/seed",
    operation_id = "seed_orders",
    tag = "admin",
    request_body = SeedBody,
    params(("X-Admin-Password" = Option<String>, Header, description = "The password; wins over one in the body")),
    responses(
        (status = 201, description = "Made", body = MessageBody),
        (status = 404, description = "No admin password is configured", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["amount_overflow", "item_unknown", "currency_mixed"]))),
)]
pub(crate) async fn seed(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, body) = taken(&app, request).await?;
    let body = authorized(&app, &context, &headers, &body)?;
    let (count, random_seed) = asked(body.as_ref())?;

    let numbers: Vec<u64> = (0..count).collect();
    for group in numbers.chunks(SEED_GROUP) {
        let placing = group
            .iter()
            .map(|number| place(&app, &context, random_seed, *number));
        try_join_all(placing).await?;
    }

    warn!(
        count,
        random_seed, "Made {count} demo orders, as the admin asked"
    );
    let body = MessageBody::new(format!("Seeded {count} fake orders."));
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response())
}

/// How many orders, and which: an object, or nothing but the number.
fn asked(body: Option<&Json>) -> Result<(u64, u64), Problem> {
    let number = |name: &str| {
        body.and_then(|body| body.get(name))
            .and_then(Json::as_integer)
    };
    let count = match body {
        Some(Json::Number(_)) => body.and_then(Json::as_integer),
        _ => number("count"),
    };
    let refuse =
        |detail: &'static str| Problem::new(Code::ValidationFailed, detail).with_status(400);
    let password = body.and_then(|body| body.get("password"));
    if password.is_some_and(|it| *it != Json::Null && is_text(it).is_err()) {
        return Err(refuse("'password' must be a string."));
    }
    let Some(count) = count else {
        return Err(refuse(
            "Request body must include an integer 'count' value.",
        ));
    };
    if count < 1 {
        return Err(refuse("'count' must be greater than zero."));
    }
    if count > SEED_MAX {
        return Err(refuse(
            "'count' must be at most 100000; ask more than once.",
        ));
    }
    let is_said = |body: &&Json| !matches!(body.get("random_seed"), None | Some(Json::Null));
    let random_seed = match (body.filter(is_said), number("random_seed")) {
        (None, _) => rand::random::<u32>().into(),
        (Some(_), Some(number)) => number.cast_unsigned(),
        (Some(_), None) => return Err(refuse("'random_seed' must be an integer.")),
    };
    Ok((count.cast_unsigned(), random_seed))
}

fn is_text(value: &Json) -> Result<(), Wrong> {
    match value {
        Json::String(_) => Ok(()),
        _ => Err(Wrong::new("wrong_type", "must be a string")),
    }
}

/// Places demo order `number` of a seed as a basket, and labels it.
async fn place(app: &App, context: &Context, random_seed: u64, number: u64) -> Result<(), Problem> {
    let order = demo::order(random_seed, number);
    let draft = Draft {
        contract: contracts::BASKET,
        customer_id: None,
        customer_name: Some(order.customer_name),
        currency: None,
        lines: order.lines,
        expected_total_minor: None,
        fulfil: app.settings.fulfil_all_contracts,
        metadata: None,
    };
    let prices = catalogue::prices(app, &draft.lines).await?;
    let placed = place::place(draft, &prices, placing::occasion(app, context), None)?;
    commit(app, placed.clone()).await?;
    app.metrics.orders_created.inc();
    let order_placed = placing::order_in(&placed).clone();
    if let (Some(label), false) = (order.label, order_placed.fulfil) {
        let occasion = placing::occasion(app, context);
        commit(app, domain::recorded::label(order_placed, label, occasion)?).await?;
    }
    Ok(())
}

async fn commit(app: &App, write_set: WriteSet) -> Result<(), Problem> {
    match app.store.commit(Arc::new(write_set)).await? {
        Committed::Done => Ok(()),
        Committed::Seen(_) | Committed::Refused(_) => Err(Problem::new(
            Code::Unavailable,
            "A demo order could not be written; those before it are there.",
        )),
    }
}

async fn taken(app: &App, request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    if app.settings.admin_password.is_none() {
        return Err(Problem::new(
            Code::AdminDisabled,
            "No admin password is configured.",
        ));
    }
    let headers = request.headers().clone();
    let body = extract::body(app, request, app.settings.body_max_bytes).await?;
    Ok((headers, body))
}

/// The body, from someone who may administer: with the password, or with a token of scope admin.
fn authorized(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Option<Json>, Problem> {
    let read = || -> Result<Option<Json>, Problem> {
        if body.is_empty() {
            return Ok(None);
        }
        extract::require_json(headers)?;
        extract::parse(body).map(Some)
    };
    if context.scope == Some(TokenScope::Admin) {
        return read();
    }
    app.guesses.may_try(app, &context.source)?;
    let header = headers.get("x-admin-password");
    let body = if header.is_some() { None } else { read()? };
    let sent = match (header, body.as_ref().and_then(|body| body.get("password"))) {
        (Some(header), _) => Some(header.as_bytes()),
        (None, Some(Json::String(text))) => Some(text.as_bytes()),
        _ => None,
    };
    let right = sent
        .zip(app.settings.admin_password.as_ref())
        .is_some_and(|(sent, password)| password.matches(sent));
    if !right {
        if sent.is_some() {
            app.guesses.was_wrong(app, &context.source);
        }
        return Err(Problem::new(Code::AdminUnauthorized, "Unauthorized."));
    }
    body.map_or_else(read, |body| Ok(Some(body)))
}

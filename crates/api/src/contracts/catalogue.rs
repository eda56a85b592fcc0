//! The catalogue contract: `{productId, name, price}` in and out, prices as decimal numbers in the
//! default currency, a bare array for a list. A key is honoured, not needed; unknown fields and the
//! content type are ignored, and the case of a field's name does not matter.

use crate::catalogue::{self, New};
use crate::extract::{self, Query, TextPath};
use crate::fields::{Faults, Fields, Wrong, text};
use crate::keyed::Keyed;
use crate::layers::Context;
use crate::placing::Answered;
use crate::problem::{Code, Problem};
use crate::renderers::to_bytes;
use crate::v1::orders::{IDEMPOTENT_REPLAYED, JSON};
use crate::{App, cursor};
use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::idempotency::Operation;
use domain::json::Json;
use domain::text::Text;
use domain::{Currency, Money, Product};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use store::RecordQuery;
use utoipa::ToSchema;

/// The most products of the list: some two megabytes. The header `Link` leads on.
const PRODUCTS_MAX: usize = 10_000;
/// What the cursors of the list are bound to.
const CURSORS: &str = "catalogue";
const FIELDS: [&str; 3] = ["productId", "name", "price"];

/// A product in the words of the catalogue contract.
#[derive(Serialize, ToSchema)]
#[schema(as = CatalogueProduct)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductBody {
    /// Its name for programs.
    #[schema(min_length = 1, max_length = 128, example = "1")]
    product_id: Box<str>,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200, example = "MacBook")]
    name: Box<str>,
    /// The price of one, more than 0.
    #[schema(value_type = f64, example = 1999)]
    price: Box<RawValue>,
}

impl ProductBody {
    fn of(product: &Product) -> Self {
        let price = product.price.to_decimal(product.currency);
        Self {
            product_id: product.id.as_str().into(),
            name: product.name.as_str().into(),
            price: RawValue::from_string(price).expect("a decimal is a JSON number"),
        }
    }
}

/// Make a product
#[utoipa::path(
    post,
    path = "/products",
    operation_id = "create_contract_product",
    tag = "contracts",
    request_body = ProductBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 printable ASCII characters")),
    responses(
        (status = 201, description = "Made, now or by an earlier request with this key", body = ProductBody, headers(("Idempotent-Replayed" = String, description = "`true` where the answer was given before"))),
        (status = 400, description = "The body is no such product", body = crate::problem::Document),
        (status = 409, description = "There is such a product, or the key was used for another request", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["product_exists"]))),
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let key = extract::idempotency_key(request.headers())?;
    let bytes = extract::body(&app, request, app.settings.body_max_bytes).await?;
    let body = extract::parse(&bytes).map_err(|it| it.beginning_with("Invalid JSON."))?;
    let body = folded(body)?;
    let product = read(&app, &body).map_err(|it| {
        it.with_status(400)
            .beginning_with("Missing or invalid fields.")
    })?;
    let operation = Operation::CreateContractProduct;
    let new = New {
        keyed: key.map(|key| Keyed::new(&context, operation, key, &body)),
        body: to_bytes(&ProductBody::of(&product)),
        product,
        changes: Vec::new(),
    };

    let (body, answer) = catalogue::create(&app, &new).await?;

    let mut response = (StatusCode::CREATED, [(CONTENT_TYPE, JSON)], body).into_response();
    if answer == Answered::Again {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The body with the fields that are known spelt as they are here.
fn folded(body: Json) -> Result<Json, Problem> {
    let Json::Object(mut members) = body else {
        return Ok(body);
    };
    for field in FIELDS {
        let mut spelt = members
            .iter_mut()
            .filter(|(name, _)| name.eq_ignore_ascii_case(field));
        if let Some((name, _)) = spelt.next() {
            *name = field.into();
        }
        if spelt.next().is_some() {
            return Err(Problem::new(
                Code::InvalidBody,
                format!("Missing or invalid fields. {field} stands twice."),
            ));
        }
    }
    Ok(Json::Object(members))
}

fn read(app: &App, body: &Json) -> Result<Product, Problem> {
    let currency = app.settings.default_currency;
    let fields = Fields::of_body(body)?;
    let mut faults = Faults::default();
    let id = fields.required("productId", &mut faults, text);
    let name = fields.required("name", &mut faults, text);
    let price = fields.required("price", &mut faults, |value| price(value, currency));
    let now = app.clock.now();
    let product = id.zip(name).zip(price).map(|((id, name), price)| Product {
        id,
        name,
        price,
        currency,
        created_at: now,
        updated_at: now,
    });
    faults.check(product)
}

fn price(value: &Json, currency: Currency) -> Result<Money, Wrong> {
    if !matches!(value, Json::Number(_)) {
        return Err(Wrong::new("wrong_type", "must be a number, without quotes"));
    }
    let digits = currency.minor_digits();
    let minor = value.as_scaled(digits).filter(|minor| *minor > 0);
    minor.map(Money::from_minor).ok_or_else(|| {
        let detail = format!("must be more than 0, with at most {digits} decimals ({currency})");
        Wrong::new("out_of_bounds", detail)
    })
}

/// Read a product
#[utoipa::path(
    get,
    path = "/products/{product_id}",
    operation_id = "show_contract_product",
    tag = "contracts",
    params(("product_id" = String, Path, description = "The product")),
    responses(
        (status = 200, description = "The product", body = ProductBody),
        (status = 404, description = "There is no such product", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
) -> Result<Response, Problem> {
    let id = Text::parse(&id).ok_or_else(catalogue::no_such_product)?;

    let found = catalogue::find(&app, &id).await?;

    let (product, _) = found.ok_or_else(catalogue::no_such_product)?;
    Ok(([(CONTENT_TYPE, JSON)], to_bytes(&ProductBody::of(&product))).into_response())
}

/// The product whose id has a slash in it, as it stands in the path.
pub(crate) async fn show_nested(
    app: State<Arc<App>>,
    Path((first, rest)): Path<(String, String)>,
) -> Result<Response, Problem> {
    show(app, TextPath(format!("{first}/{rest}"))).await
}

/// List products, by their ids
///
/// It stops at 10,000 products; the header `Link` leads on.
#[utoipa::path(
    get,
    path = "/products",
    operation_id = "list_contract_products",
    tag = "contracts",
    params(("cursor" = Option<String>, Query, description = "From the `Link` of the page before")),
    responses((status = 200, description = "The products", body = [ProductBody], headers(
        ("Link" = String, description = "What follows, as `rel=\"next\"`"),
    )))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["cursor"]);
    let after = query.get("cursor", "must be a cursor", |text| Some(text.to_owned()));
    query.check()?;
    let after = after
        .map(|text| cursor::open_text(&app.cursor_key, &text, CURSORS))
        .transpose()?;

    let query = RecordQuery {
        kind: domain::RecordKind::Product,
        after,
        limit: PRODUCTS_MAX,
    };
    let page = app.store.list(query).await?;

    let products = catalogue::products(&page.items)?;
    let body: Vec<ProductBody> = products
        .iter()
        .map(|(product, _)| ProductBody::of(product))
        .collect();
    let mut response = ([(CONTENT_TYPE, JSON)], to_bytes(&body)).into_response();
    if let Some(after) = page.next {
        let cursor = cursor::seal(&app.cursor_key, after.as_bytes(), CURSORS);
        let link = format!("</products?cursor={cursor}>; rel=\"next\"");
        let link = HeaderValue::from_str(&link).expect("a cursor is ASCII");
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

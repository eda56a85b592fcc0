//! `/v1/products`: the catalogue, one product by one.

use super::stock::{self, FiguresBody, Known, Why, difference_to, on_hand};
use crate::cached::is_known;
use crate::catalogue::{self, New, etag};
use crate::changing::TRIES;
use crate::extract::{self, Query, TextPath};
use crate::fields::{Faults, Fields, Wrong, amount, currency, text};
use crate::keyed::Keyed;
use crate::layers::Context;
use crate::placing::Answered;
use crate::preconditions::Preconditions;
use crate::problem::{Code, Problem};
use crate::renderers::{display, to_bytes};
use crate::v1::orders::{IDEMPOTENT_REPLAYED, JSON};
use crate::{App, cursor};
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LINK, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::idempotency::Operation;
use domain::json::Json;
use domain::text::Text;
use domain::{Change, ItemId, Product, Refusal, Stock, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use store::{Committed, RecordQuery};
use utoipa::ToSchema;

/// What the cursors of the list are bound to.
const CURSORS: &str = "products";

/// A product to make.
#[derive(ToSchema)]
#[schema(as = NewProduct)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewProductBody {
    /// What a line's `item_id` says.
    #[schema(min_length = 1, max_length = 128, example = "pen")]
    product_id: String,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200, example = "Fountain pen")]
    name: String,
    /// The price of one, in minor units.
    #[schema(minimum = 0, example = 4500)]
    price_minor: i64,
    /// Three upper-case letters; the configured default where absent.
    #[schema(pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<String>,
    /// How many there are; from then on they are counted, and no more is sold. Not said, the stock
    /// stays as it is.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64, example = 100)]
    stock: Option<u64>,
}

/// A product that is to be in the place of another.
#[derive(ToSchema)]
#[schema(as = ProductReplacement)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct ReplacementBody {
    /// The id in the path, if it is said at all.
    #[schema(min_length = 1, max_length = 128, example = "pen")]
    product_id: Option<String>,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200, example = "Fountain pen")]
    name: String,
    /// The price of one, in minor units.
    #[schema(minimum = 0, example = 4900)]
    price_minor: i64,
    /// Three upper-case letters; the configured default where absent.
    #[schema(pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<String>,
    /// How many there are. Not said, the stock stays as it is.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64, example = 100)]
    stock: Option<u64>,
}

/// A product.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductBody<'a> {
    /// What a line's `item_id` says.
    product_id: &'a str,
    /// Its name for people.
    name: &'a str,
    /// The price of one, in minor units.
    price_minor: i64,
    /// The currency of the price.
    #[schema(example = "USD")]
    currency: &'a str,
    /// How many there are; null where nobody counts. `/v1/stock/{item_id}` changes it.
    stock: Option<FiguresBody>,
    /// 1 when made, 1 more with every change.
    version: u32,
    /// When it was made.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> ProductBody<'a> {
    fn of(product: &'a Product, version: u32, stock: Option<Stock>) -> Self {
        Self {
            product_id: product.id.as_str(),
            name: product.name.as_str(),
            price_minor: product.price.as_minor(),
            currency: product.currency.as_str(),
            stock: stock.map(FiguresBody::of),
            version,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}

/// Make a product
#[utoipa::path(
    post,
    path = "/v1/products",
    operation_id = "create_product",
    tag = "products",
    request_body = NewProductBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: 1 to 255 printable ASCII characters")),
    responses(
        (status = 201, description = "Made, now or by an earlier request with this key", body = ProductBody, headers(
            ("Location" = String, description = "The path of the product"),
            ("ETag" = String, description = "Its version"),
            ("Idempotent-Replayed" = String, description = "`true` where the answer was given before"),
        )),
        (status = 409, description = "There is such a product, or the key was used for another request", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["product_exists", "stock_held"]))),
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let key = extract::idempotency_key(request.headers())?;
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let (product, count) = read(&app, &body, None)?;
    let known = stock::known(&app, &product.id).await?;
    let (stock, changes) = counted(&app, &context, &product.id, known, count)?;
    let operation = Operation::CreateProduct;
    let new = New {
        changes,
        keyed: key.map(|key| Keyed::new(&context, operation, key, &body)),
        body: to_bytes(&ProductBody::of(&product, 1, stock)),
        product,
    };

    let (body, answer) = catalogue::create(&app, &new).await?;

    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(LOCATION, location(&new.product.id));
    match answer {
        Answered::First => headers.insert(ETAG, tag(&new.product, 1, stock)),
        Answered::Again => headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true")),
    };
    Ok(response)
}

/// Reads a product, and how many of it there are. `id` is that of the path, where there is one.
fn read(app: &App, body: &Json, id: Option<&ItemId>) -> Result<(Product, Option<u64>), Problem> {
    let fields = Fields::of_body(body)?;
    let mut faults = Faults::default();
    fields.only(
        &["product_id", "name", "price_minor", "currency", "stock"],
        &mut faults,
    );
    let said: Option<ItemId> = match id {
        None => fields.required("product_id", &mut faults, text),
        Some(id) => fields
            .optional("product_id", &mut faults, |value| same(text(value)?, id))
            .or_else(|| Some(id.clone())),
    };
    let name = fields.required("name", &mut faults, text);
    let price = fields.required("price_minor", &mut faults, amount);
    let currency = fields.optional("currency", &mut faults, currency);
    let count = fields.optional("stock", &mut faults, on_hand);
    let now = app.clock.now();
    let product = said
        .zip(name)
        .zip(price)
        .map(|((id, name), price)| Product {
            id,
            name,
            price,
            currency: currency.unwrap_or(app.settings.default_currency),
            created_at: now,
            updated_at: now,
        });
    Ok((faults.check(product)?, count))
}

/// What is written to have so many of a product, and the stock that there is then.
fn counted(
    app: &App,
    context: &Context,
    id: &ItemId,
    known: Known,
    count: Option<u64>,
) -> Result<(Option<Stock>, Vec<Change>), Refusal> {
    let was = known.stock;
    let Some(count) = count else {
        return Ok((was, Vec::new()));
    };
    let by = difference_to(count, was.unwrap_or_default());
    if by == 0 && was.is_some() {
        return Ok((was, Vec::new()));
    }
    let why = Why {
        context,
        reason: "said with the product",
    };
    let (stock, changes) = stock::moved(app, id, known, by, &why)?;
    Ok((Some(stock), changes))
}

/// The `ETag` of a product as it is shown: its version, and its stock.
fn tag(product: &Product, version: u32, stock: Option<Stock>) -> HeaderValue {
    let etag = etag(product, version);
    let Some(stock) = stock else { return etag };
    let version = etag.to_str().unwrap_or_default().trim_matches('"');
    let tag = format!("\"{version}-{}.{}\"", stock.on_hand, stock.reserved);
    HeaderValue::from_str(&tag).expect("quoted numbers are ASCII")
}

/// The version in an `ETag`: whoever changes a product need not know its stock.
fn version_in(tag: &str) -> String {
    let mut parts = tag.trim_matches('"').splitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(version), Some(made), Some(_stock)) => format!("\"{version}-{made}\""),
        _ => tag.to_owned(),
    }
}

fn same(said: ItemId, id: &ItemId) -> Result<ItemId, Wrong> {
    if said == *id {
        return Ok(said);
    }
    Err(Wrong::new(
        "out_of_bounds",
        "must be the id in the path, or be left out",
    ))
}

fn location(id: &ItemId) -> HeaderValue {
    let encoded: String = form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
    // A plus is a space in forms only.
    let path = format!("/v1/products/{}", encoded.replace('+', "%20"));
    HeaderValue::from_str(&path).expect("percent-encoded text is ASCII")
}

/// Read a product
#[utoipa::path(
    get,
    path = "/v1/products/{product_id}",
    operation_id = "show_product",
    tag = "products",
    params(
        ("product_id" = String, Path, description = "The product"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version at hand"),
    ),
    responses(
        (status = 200, description = "The product", body = ProductBody, headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "The version at hand is the latest", headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "There is no such product", body = crate::problem::Document),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = Text::parse(&id).ok_or_else(catalogue::no_such_product)?;

    let found = catalogue::find(&app, &id).await?;

    let (product, version) = found.ok_or_else(catalogue::no_such_product)?;
    let stock = stock::read(&app, &product.id).await?;
    let tag = tag(&product, version, stock);
    if is_known(&headers, tag.to_str().unwrap_or_default()) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    Ok(shown(StatusCode::OK, &product, version, stock))
}

fn shown(status: StatusCode, product: &Product, version: u32, stock: Option<Stock>) -> Response {
    let headers = [(CONTENT_TYPE, JSON), (ETAG, tag(product, version, stock))];
    let body = to_bytes(&ProductBody::of(product, version, stock));
    (status, headers, body).into_response()
}

/// Put a product in the place of another, or where there is none
#[utoipa::path(
    put,
    path = "/v1/products/{product_id}",
    operation_id = "replace_product",
    tag = "products",
    request_body = ReplacementBody,
    params(
        ("product_id" = String, Path, description = "The product"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none"),
    ),
    responses(
        (status = 200, description = "Replaced", body = ProductBody, headers(("ETag" = String, description = "Its version"))),
        (status = 201, description = "Made", body = ProductBody, headers(("ETag" = String, description = "Its version"))),
        (status = 412, description = "It has another version, or is not there", body = crate::problem::Document),
        (status = 428, description = "The operator wants If-Match", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["stock_held", "precondition_required"]))),
)]
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    TextPath(id): TextPath,
    request: Request,
) -> Result<Response, Problem> {
    let id: ItemId = Text::parse(&id).ok_or_else(catalogue::no_such_product)?;
    let preconditions = preconditions(&app, request.headers())?;
    let body = extract::json(&app, request, app.settings.body_max_bytes).await?;
    let (new, count) = read(&app, &body, Some(&id))?;

    for _ in 0..TRIES {
        let found = catalogue::find(&app, &id).await?;
        check(&preconditions, found.as_ref())?;
        let (product, was) = match found {
            Some((old, version)) => (
                Product {
                    created_at: old.created_at,
                    ..new.clone()
                },
                version,
            ),
            None => (new.clone(), 0),
        };
        let known = stock::known(&app, &id).await?;
        let (stock, changes) = counted(&app, &context, &id, known, count)?;
        let mut write_set = catalogue::change(&id, was, Some(catalogue::encode(&product)));
        write_set.changes.extend(changes);
        if app.store.commit(Arc::new(write_set)).await? == Committed::Done {
            let status = if was == 0 {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            return Ok(shown(status, &product, was + 1, stock));
        }
    }
    Err(crowded())
}

/// Delete a product
///
/// Orders keep the name and the price that they were placed with.
#[utoipa::path(
    delete,
    path = "/v1/products/{product_id}",
    operation_id = "delete_product",
    tag = "products",
    params(
        ("product_id" = String, Path, description = "The product"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
        ("If-None-Match" = Option<String>, Header, description = "Refused where the product has this `ETag`"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such product", body = crate::problem::Document),
        (status = 412, description = "It has another version", body = crate::problem::Document),
        (status = 428, description = "The operator wants If-Match", body = crate::problem::Document),
    ),
    extensions(("x-problems" = json!(["precondition_required"]))),
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    TextPath(id): TextPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: ItemId = Text::parse(&id).ok_or_else(catalogue::no_such_product)?;
    let preconditions = preconditions(&app, &headers)?;

    for _ in 0..TRIES {
        let found = catalogue::find(&app, &id).await?;
        check(&preconditions, found.as_ref())?;
        let (_, was) = found.ok_or_else(catalogue::no_such_product)?;
        let change = catalogue::change(&id, was, None);
        if app.store.commit(Arc::new(change)).await? == Committed::Done {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    Err(crowded())
}

fn preconditions(app: &App, headers: &HeaderMap) -> Result<Preconditions, Problem> {
    let preconditions = Preconditions::of(headers).reading(version_in);
    if app.settings.require_if_match && !preconditions.any() {
        return Err(Problem::new(
            Code::PreconditionRequired,
            "Send If-Match with the ETag of the version that is meant.",
        ));
    }
    Ok(preconditions)
}

fn check(preconditions: &Preconditions, found: Option<&(Product, u32)>) -> Result<(), Problem> {
    let etag = found.map(|(product, version)| etag(product, *version));
    let etag = etag.as_ref().and_then(|etag| etag.to_str().ok());
    preconditions.check(etag)
}

fn crowded() -> Problem {
    Problem::new(
        Code::Unavailable,
        "Others change this product all the time; nothing was written.",
    )
}

/// A page of products.
#[derive(Serialize, ToSchema)]
#[schema(as = ProductList)]
pub(crate) struct ProductsBody<'a> {
    /// The products, by their ids.
    items: Vec<ProductBody<'a>>,
    /// Where the next page begins; null at the end of the list.
    next_cursor: Option<String>,
}

/// List products, by their ids
#[utoipa::path(
    get,
    path = "/v1/products",
    operation_id = "list_products",
    tag = "products",
    params(
        ("limit" = Option<u32>, Query, description = "The most products of a page: 1 to 100, 20 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of products", body = ProductsBody, headers(
        ("Link" = String, description = "The next page, as `rel=\"next\"`"),
    )))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["limit", "cursor"]);
    let limit = query.limit();
    let after = query.cursor();
    query.check()?;

    let (products, next_cursor) = page(&app, limit, after.as_deref()).await?;

    let link = next_cursor
        .as_ref()
        .map(|next| format!("</v1/products?limit={limit}&cursor={next}>; rel=\"next\""));
    let ids: Vec<ItemId> = products
        .iter()
        .map(|(product, _)| product.id.clone())
        .collect();
    let stock = app.store.stock(&ids).await?;
    let items = products
        .iter()
        .zip(stock)
        .map(|((product, version), stock)| ProductBody::of(product, *version, stock))
        .collect();
    let body = to_bytes(&ProductsBody { items, next_cursor });
    let mut response = ([(CONTENT_TYPE, JSON)], body).into_response();
    if let Some(link) = link {
        let link = HeaderValue::from_str(&link).expect("a cursor is ASCII");
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// A page of the catalogue, each product with its version, and the cursor of the next page.
pub(crate) async fn page(
    app: &App,
    limit: usize,
    cursor: Option<&str>,
) -> Result<(Vec<(Product, u32)>, Option<String>), Problem> {
    let after = cursor.map(|text| opened(app, text)).transpose()?;
    let query = RecordQuery {
        kind: domain::RecordKind::Product,
        after,
        limit,
    };
    let page = app.store.list(query).await?;
    let next = page.next.map(|after| sealed(app, &after));
    Ok((catalogue::products(&page.items)?, next))
}

/// The id after which the page of a cursor begins.
pub(crate) fn opened(app: &App, cursor: &str) -> Result<Box<str>, Problem> {
    cursor::open_text(&app.cursor_key, cursor, CURSORS)
}

/// The cursor of the page that begins after an id.
pub(crate) fn sealed(app: &App, after: &str) -> String {
    cursor::seal(&app.cursor_key, after.as_bytes(), CURSORS)
}

//! The catalogue as records of the store: how a product is kept, made and found, whatever the wire
//! form, and which prices an order gets.

use crate::App;
use crate::changing::crowded;
use crate::keyed::Keyed;
use crate::placing::Answered;
use crate::problem::{Code, Problem};
use axum::http::HeaderValue;
use domain::product::Prices;
use domain::{
    Change, Currency, ItemId, Line, Money, Name, Product, Record, RecordId, RecordKind, Timestamp,
    WriteSet,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::Committed;

/// A product as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    price_minor: i64,
    #[serde(borrow)]
    currency: std::borrow::Cow<'a, str>,
    created_at_ms: i64,
    updated_at_ms: i64,
}

/// The record of the product with this id.
pub(crate) fn record_id(id: &ItemId) -> RecordId {
    RecordId {
        kind: RecordKind::Product,
        id: id.as_str().into(),
    }
}

/// A product as it is kept.
pub(crate) fn encode(product: &Product) -> Box<[u8]> {
    let kept = Kept {
        name: product.name.as_str().into(),
        price_minor: product.price.as_minor(),
        currency: product.currency.as_str().into(),
        created_at_ms: product.created_at.as_millis(),
        updated_at_ms: product.updated_at.as_millis(),
    };
    serde_json::to_vec(&kept)
        .expect("texts and numbers can always be written")
        .into()
}

/// The product of a record.
pub(crate) fn decode(id: &str, record: &Record) -> Result<Product, Problem> {
    let product = || {
        let kept: Kept<'_> = serde_json::from_slice(&record.body).ok()?;
        Some(Product {
            id: ItemId::parse(id)?,
            name: Name::parse(&kept.name)?,
            price: Money::from_minor(kept.price_minor),
            currency: Currency::parse(&kept.currency)?,
            created_at: Timestamp::from_millis(kept.created_at_ms),
            updated_at: Timestamp::from_millis(kept.updated_at_ms),
        })
    };
    product()
        .ok_or_else(|| store::Error::Corrupt(format!("the product {id:?} cannot be read")).into())
}

/// The products of a page of records, each with its version.
pub(crate) fn products(records: &[(Box<str>, Record)]) -> Result<Vec<(Product, u32)>, Problem> {
    records
        .iter()
        .map(|(id, record)| Ok((decode(id, record)?, record.version)))
        .collect()
}

/// The product with this id, and its version.
pub(crate) async fn find(app: &App, id: &ItemId) -> Result<Option<(Product, u32)>, Problem> {
    let records = app.store.records(&[record_id(id)]).await?;
    let record = records.into_iter().flatten().next();
    record
        .map(|record| Ok((decode(id.as_str(), &record)?, record.version)))
        .transpose()
}

/// The `ETag` of a product. One that was deleted and made again counts from 1 again, so the time
/// at which it was made is a part of it.
pub(crate) fn etag(product: &Product, version: u32) -> HeaderValue {
    let etag = format!("\"{version}-{}\"", product.created_at.as_millis());
    HeaderValue::from_str(&etag).expect("quoted numbers are ASCII")
}

/// The problem of an id that names no product.
pub(crate) fn no_such_product() -> Problem {
    Problem::new(Code::NotFound, "Product not found.")
}

/// What changes, deletes or makes a product.
pub(crate) fn change(id: &ItemId, was: u32, body: Option<Box<[u8]>>) -> WriteSet {
    let id = record_id(id);
    WriteSet {
        claim: None,
        changes: vec![Change::Record { id, was, body }],
    }
}

/// A product to make, and the answer that says so.
pub(crate) struct New {
    pub(crate) product: Product,
    pub(crate) keyed: Option<Keyed>,
    pub(crate) body: Vec<u8>,
    /// What else is written with it.
    pub(crate) changes: Vec<Change>,
}

/// Makes a product, once however often it is asked for under one key; the body of the answer.
pub(crate) async fn create(app: &App, new: &New) -> Result<(Vec<u8>, Answered), Problem> {
    let claim = |keyed: &Keyed| keyed.claim(app, 201, &new.body, None);
    let mut write_set = WriteSet {
        claim: new.keyed.as_ref().map(claim),
        ..change(&new.product.id, 0, Some(encode(&new.product)))
    };
    write_set.changes.extend(new.changes.iter().cloned());

    match app.store.commit(Arc::new(write_set)).await? {
        Committed::Done => {
            if new.keyed.is_some() {
                app.metrics.keys_new.inc();
            }
            Ok((new.body.clone(), Answered::First))
        }
        Committed::Refused(0) => Err(Problem::new(Code::ProductExists, "Product already exists.")),
        Committed::Refused(_) => Err(crowded()),
        Committed::Seen(seen) => {
            let keyed = new.keyed.as_ref().expect("only a claim meets a record");
            Ok((keyed.replay(app, &seen)?, Answered::Again))
        }
    }
}

/// What the catalogue says about the lines of an order, as of now.
pub(crate) async fn prices(app: &App, lines: &[Line]) -> Result<Prices, Problem> {
    let mut prices = Prices {
        products: Vec::new(),
        lines: app.settings.order_lines,
        default_currency: app.settings.default_currency,
    };
    let ids: Vec<RecordId> = lines
        .iter()
        .filter_map(|line| line.item_id.as_ref().map(record_id))
        .collect();
    if ids.is_empty() {
        return Ok(prices);
    }
    for (id, record) in ids.iter().zip(app.store.records(&ids).await?) {
        if let Some(record) = record {
            prices.products.push(decode(&id.id, &record)?);
        }
    }
    Ok(prices)
}

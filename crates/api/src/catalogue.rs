//! The catalogue as records of the store: how a product is kept, and which prices an order gets.

use crate::App;
use crate::problem::Problem;
use domain::product::Prices;
use domain::{
    Currency, ItemId, Line, Money, Name, Product, Record, RecordId, RecordKind, Timestamp,
};
use serde::{Deserialize, Serialize};

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

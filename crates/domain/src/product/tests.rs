use super::{Lines, Prices, Product};
use crate::{Currency, ItemId, Line, Money, Name, Quantity, Refusal, Timestamp};

fn product(id: &str, minor: i64, currency: &str) -> Product {
    Product {
        id: ItemId::parse(id).unwrap(),
        name: Name::parse("From the catalogue").unwrap(),
        price: Money::from_minor(minor),
        currency: Currency::parse(currency).unwrap(),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn prices(products: Vec<Product>, lines: Lines) -> Prices {
    Prices {
        products,
        lines,
        default_currency: Currency::USD,
    }
}

fn line(item_id: Option<&str>, name: Option<&str>) -> Line {
    Line {
        item_id: item_id.and_then(ItemId::parse),
        name: name.and_then(Name::parse),
        quantity: Quantity::parse(2).unwrap(),
        unit_price_minor: Money::ZERO,
    }
}

#[test]
fn a_line_that_names_a_product_gets_its_name_and_price() {
    let mut lines = [line(Some("pen"), Some("Mine")), line(Some("ink"), None)];
    let prices = prices(vec![product("pen", 199, "EUR")], Lines::Any);
    let currency = prices.apply(&mut lines, None);
    assert_eq!(currency, Ok(Currency::parse("EUR").unwrap()));
    assert_eq!(lines[0].unit_price_minor, Money::from_minor(199));
    assert_eq!(
        lines[0].name.as_ref().map(Name::as_str),
        Some("From the catalogue")
    );
    assert_eq!(lines[1], line(Some("ink"), None));
}

#[test]
fn names_never_match() {
    let mut lines = [line(None, Some("pen"))];
    let prices = prices(vec![product("pen", 199, "EUR")], Lines::Any);
    assert_eq!(prices.apply(&mut lines, None), Ok(Currency::USD));
    assert_eq!(lines[0].unit_price_minor, Money::ZERO);
}

#[test]
fn an_order_has_one_currency() {
    let euros = Currency::parse("EUR").unwrap();
    let both = prices(
        vec![product("pen", 199, "EUR"), product("ink", 1, "USD")],
        Lines::Any,
    );
    let mut lines = [line(Some("pen"), None), line(Some("ink"), None)];
    let mixed = Err(Refusal::CurrencyMixed {
        order: euros,
        line: Currency::USD,
    });
    assert_eq!(both.apply(&mut lines, None), mixed);
    assert_eq!(both.apply(&mut lines[..1], Some(euros)), Ok(euros));
    let mixed = Err(Refusal::CurrencyMixed {
        order: Currency::USD,
        line: euros,
    });
    assert_eq!(both.apply(&mut lines[..1], Some(Currency::USD)), mixed);
}

#[test]
fn a_strict_catalogue_knows_every_line() {
    let strict = prices(vec![product("pen", 199, "USD")], Lines::Products);
    let mut lines = [line(Some("pen"), None), line(Some("ink"), None)];
    let unknown = Err(Refusal::ItemUnknown { line_number: 2 });
    assert_eq!(strict.apply(&mut lines, None), unknown);
    assert_eq!(strict.apply(&mut lines[..1], None), Ok(Currency::USD));
}

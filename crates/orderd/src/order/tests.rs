use super::*;

#[test]
fn a_line_is_an_item_and_a_quantity() {
    let read = |text| {
        line(text)
            .ok()
            .map(|Line { item_id, quantity }| (item_id, quantity))
    };
    assert_eq!(read("pen:2"), Some(("pen".into(), 2)));
    assert_eq!(read("pen"), Some(("pen".into(), 1)));
    assert_eq!(read("sku:red:3"), Some(("sku:red".into(), 3)));
    for text in ["pen:", ":2", "pen:two", "pen:1.5", "pen:-1", ""] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_fresh_key_is_a_uuid_and_no_other_one() {
    let [one, other] = [fresh_key().unwrap(), fresh_key().unwrap()];
    assert_eq!(one.len(), 36);
    assert_ne!(one, other);
}

#[test]
fn an_order_without_a_customer_id_is_shown_by_name() {
    let order = json!({"order_id": "o", "status": "created", "customer_id": null,
        "customer_name": "Ada", "lines": [{}, {}], "total_minor": 1999, "currency": "USD",
        "created_at": "2026-11-21T00:00:00.000Z"});
    assert_eq!(
        cells(&order),
        [
            "o",
            "created",
            "Ada",
            "2",
            "19.99 USD",
            "2026-11-21T00:00:00.000Z"
        ]
    );
}

#[test]
fn a_row_fits_into_80_columns_and_says_where_there_is_no_price() {
    let order = json!({"order_id": "0".repeat(36), "status": "needs_review",
        "customer_id": "a-customer-with-a-long-name", "total_minor": 0, "currency": "USD"});
    let row = row(&cells(&order));
    assert!(row.chars().count() <= 80, "{row}");
    assert!(row.contains("a-customer-…") && row.ends_with(" –"), "{row}");
}

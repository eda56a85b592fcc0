use super::{open_order as open, open_text};
use domain::OrderId;

const KEY: [u8; 32] = [7; 32];

/// A cursor that points at an order.
fn seal(key: &[u8; 32], position: OrderId, list: &str) -> String {
    super::seal(key, position.as_uuid().as_bytes(), list)
}

fn position() -> OrderId {
    OrderId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap()
}

#[test]
fn a_cursor_points_where_it_was_made_to() {
    let cursor = seal(&KEY, position(), "status=created&");
    assert_eq!(
        open(&KEY, &cursor, "status=created&").ok(),
        Some(position())
    );
}

#[test]
fn a_cursor_of_another_list_another_key_or_nobody_is_refused() {
    let cursor = seal(&KEY, position(), "");
    assert!(open(&KEY, &cursor, "status=created&").is_err());
    assert!(open(&[8; 32], &cursor, "").is_err());
    for end in 0..cursor.len() {
        assert!(open(&KEY, &cursor[..end], "").is_err(), "{end}");
    }
    assert!(open(&KEY, &format!("{cursor}AAAA"), "").is_err());
    assert!(open(&KEY, "\u{e9}", "").is_err());
}

#[test]
fn a_cursor_may_point_at_any_text() {
    let cursor = super::seal(&KEY, "ä/b".as_bytes(), "products");
    let position = open_text(&KEY, &cursor, "products").ok();
    assert_eq!(position.as_deref(), Some("ä/b"));
    assert!(open(&KEY, &cursor, "products").is_err(), "no order");
}

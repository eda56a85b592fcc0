use super::{CustomerId, Label};

#[test]
fn text_is_bounded_in_characters_and_visible() {
    let check =
        |text: &str, ok: bool| assert_eq!(CustomerId::parse(text).is_some(), ok, "{text:?}");
    check("cust1", true);
    check("Ünïcødé 客户", true);
    check(&"ä".repeat(128), true);
    check(&"ä".repeat(129), false);
    check(&"a".repeat(129), false);
    check("", false);
    check(" \u{a0} ", false);
    check("a\0b", false);
    check("a\tb", false);
    check("a\u{1b}[31m", false);
    check("a\u{7f}", false);
}

#[test]
fn a_label_has_at_most_twenty_characters() {
    assert!(Label::parse("waiting for a driver").is_some());
    assert!(Label::parse("waiting for a driver!").is_none());
}

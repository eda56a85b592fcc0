use super::{Currency, Money};

#[test]
fn amounts_never_wrap() {
    let most = Money::from_minor(i64::MAX);
    assert_eq!(most.checked_add(Money::from_minor(1)), None);
    assert_eq!(most.checked_times(2), None);
    assert_eq!(
        Money::from_minor(1_999).checked_times(3),
        Some(Money::from_minor(5_997))
    );
}

#[test]
fn a_currency_is_three_upper_case_letters() {
    assert_eq!(
        Currency::parse("EUR").map(|c| c.to_string()).as_deref(),
        Some("EUR")
    );
    for wrong in ["", "eur", "EURO", "E1R", "ÄÖ"] {
        assert_eq!(Currency::parse(wrong), None, "{wrong}");
    }
}

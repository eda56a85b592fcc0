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

#[test]
fn an_amount_is_written_in_whole_units_with_no_digit_too_many() {
    let (usd, jpy, kwd) = (
        Currency::USD,
        Currency::parse("JPY"),
        Currency::parse("KWD"),
    );
    let cases = [
        (1_999, usd, "19.99"),
        (199_900, usd, "1999"),
        (1_990, usd, "19.9"),
        (5, usd, "0.05"),
        (0, usd, "0"),
        (-250, usd, "-2.5"),
        (1_999, jpy.unwrap(), "1999"),
        (1_999, kwd.unwrap(), "1.999"),
        (i64::MIN, usd, "-92233720368547758.08"),
    ];
    for (minor, currency, text) in cases {
        assert_eq!(Money::from_minor(minor).to_decimal(currency), text);
    }
}

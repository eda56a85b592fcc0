use super::Json;
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    Json::parse(text.as_bytes()).unwrap().canonical()
}

#[test]
fn documents_that_mean_the_same_have_one_canonical_text() {
    for (one, other) in [
        (
            r#"{"a":1,"b":"x"}"#,
            "{ \"b\" : \"\\u0078\",\n \"a\": 1.0 }",
        ),
        ("[1, 10, 0.5]", "[1e0,1.0E+1,5e-1]"),
        ("[0]", "[-0.0]"),
        ("[9007199254740993]", "[9007199254740993.0]"),
    ] {
        assert_eq!(canonical(one), canonical(other));
    }
}

#[test]
fn documents_that_differ_have_different_canonical_texts() {
    for (one, other) in [
        ("[1]", "[\"1\"]"),
        ("[1]", "[-1]"),
        ("[1]", "[10]"),
        ("[9007199254740993]", "[9007199254740992]"),
        ("[100000000000000000001]", "[100000000000000000002]"),
        ("[[1],2]", "[[1,2]]"),
        ("[null]", "[]"),
        ("[true]", "[false]"),
        (r#"{"a":null}"#, "{}"),
        ("[1e99999999999999999999]", "[1e99999999999999999998]"),
    ] {
        assert_ne!(canonical(one), canonical(other));
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let nested = "[".repeat(100_000);
    for text in [
        "",
        "{",
        "{} {}",
        "NaN",
        "[1,]",
        "01",
        "{'a':1}",
        r#""\ud800""#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"c":2,"b":3}}"#,
        r#"{"$serde_json::private::Number":"drop table"}"#,
        &nested,
    ] {
        assert!(Json::parse(text.as_bytes()).is_err(), "{text:.20}");
    }
    assert!(Json::parse(b"\"caf\xe9\"").is_err(), "latin-1");
}

#[test]
fn a_whole_number_is_read_exactly_however_it_is_written() {
    let check = |text: &str, number: Option<i64>| {
        assert_eq!(
            Json::parse(text.as_bytes()).unwrap().as_integer(),
            number,
            "{text}"
        );
    };
    check("2", Some(2));
    check("2.0", Some(2));
    check("-20e-1", Some(-2));
    check("0e5", Some(0));
    check("9223372036854775807", Some(i64::MAX));
    check("9223372036854775808", None);
    check("1e400", None);
    check("1e99999999999999999999", None);
    check("2.5", None);
    check("\"2\"", None);
    check("true", None);
    check("null", None);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|number| Json::Number(number.to_string().into())),
        ".*".prop_map(|text| Json::String(text.into())),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..5).prop_map(|members| {
                Json::Object(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.into(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// The same document with the members of every object the other way round.
fn reversed(json: &Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.iter().map(reversed).collect()),
        Json::Object(members) => Json::Object(
            members
                .iter()
                .rev()
                .map(|(key, value)| (key.clone(), reversed(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn white_space_and_the_order_of_keys_do_not_count(json in any_json()) {
        let pretty = serde_json::to_string_pretty(&reversed(&json)).unwrap();
        prop_assert_eq!(canonical(&pretty), json.canonical());
    }

    #[test]
    fn values_count(one in any_json(), other in any_json()) {
        let sorted = |json: &Json| serde_json::from_slice::<serde_json::Value>(
            &serde_json::to_vec(json).unwrap()).unwrap();
        prop_assert_eq!(one.canonical() == other.canonical(), sorted(&one) == sorted(&other));
    }
}

#[test]
fn a_decimal_is_scaled_without_a_float() {
    let cases = [
        ("19.99", 2, Some(1_999)),
        ("1999", 2, Some(199_900)),
        ("0.29", 2, Some(29)),
        ("1.50e1", 2, Some(1_500)),
        ("19.990", 2, Some(1_999)),
        ("-0.01", 2, Some(-1)),
        ("0", 2, Some(0)),
        ("1999", 0, Some(1_999)),
        ("19.999", 2, None),
        ("0.1", 0, None),
        ("1e400", 2, None),
        ("92233720368547758.08", 2, None),
    ];
    for (text, digits, scaled) in cases {
        let number = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(number.as_scaled(digits), scaled, "{text}");
    }
}

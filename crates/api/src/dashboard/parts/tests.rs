//! What small things look like.

use super::*;

#[test]
fn a_span_has_two_figures_or_so() {
    let spans = [
        (7, "7 ms"),
        (1_250, "1.2 s"),
        (42_000, "42 s"),
        (180_000, "3 min"),
        (7_200_000, "2 h"),
        (432_000_000, "5 d"),
    ];
    for (millis, text) in spans {
        assert_eq!(span(millis), text);
    }
}

#[test]
fn a_time_of_another_day_says_so() {
    let at = Timestamp::parse("2026-01-31T12:00:01.500Z").expect("it is one");
    let short = time(at, at.plus_millis(1_000)).into_string();
    assert!(short.ends_with(">12:00:01</time>"), "{short}");
    let long = time(at, at.plus_millis(86_400_000)).into_string();
    assert!(long.ends_with(">2026-01-31 12:00:01</time>"), "{long}");
}

#[test]
fn every_status_has_a_shape_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for it in Status::all() {
        let html = status(it).into_string();
        let shape = html
            .split("aria-hidden=\"true\">")
            .nth(1)
            .and_then(|it| it.chars().next());
        assert!(seen.insert(shape.expect("there is one")), "{html}");
    }
}

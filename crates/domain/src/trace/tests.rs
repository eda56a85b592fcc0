use super::Trace;
use proptest::prelude::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_traceparent_is_read_and_written_as_it_came() {
    let trace = Trace::parse(PARENT).unwrap();
    assert_eq!(trace.to_string(), PARENT);
    assert_eq!(trace.name().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(trace.is_sampled());
    let flags = |flags: &str| Trace::parse(&format!("{}{flags}", &PARENT[..53])).unwrap();
    assert!(!flags("00").is_sampled());
    assert!(flags("03").is_sampled());
    assert_eq!(flags("03").flags(), 3);
}

#[test]
fn a_later_version_may_say_more() {
    let later = |text: &str| Trace::parse(text).map(|it| it.to_string());
    let later_version = PARENT.replacen("00-", "01-", 1);
    assert_eq!(later(&later_version).as_deref(), Some(PARENT));
    let more = format!("{later_version}-what-comes");
    assert_eq!(later(&more).as_deref(), Some(PARENT));
    assert_eq!(later(&format!("{later_version}.x")), None);
    assert_eq!(
        later(&format!("{PARENT}-x")),
        None,
        "version 00 says no more"
    );
}

#[test]
fn what_is_malformed_is_not_there() {
    let nil_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    let nil_span = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
    let cases = [
        "",
        "00",
        &PARENT[..54],
        &PARENT.to_uppercase(),
        &PARENT.replacen("00-", "ff-", 1),
        &PARENT.replace('-', "_"),
        &PARENT.replacen("4b", "4+", 1),
        &PARENT.replacen("4bf", "é1", 1),
        &nil_trace,
        &nil_span,
    ];
    for case in cases {
        assert_eq!(Trace::parse(case), None, "{case}");
    }
}

proptest! {
    #[test]
    fn every_place_survives_its_own_text(trace_id in 1_u128.., span_id in 1_u64.., flags: u8) {
        let trace = Trace::new(trace_id, span_id, flags);
        prop_assert_eq!(Trace::parse(&trace.unwrap().to_string()), trace);
    }

    #[test]
    fn what_is_read_of_any_text_is_what_it_begins_with(text in "[-0-9a-f]{0,80}") {
        if let Some(trace) = Trace::parse(&text) {
            prop_assert_eq!(&trace.to_string()[3..], &text[3..55]);
        }
    }
}

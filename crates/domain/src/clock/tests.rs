use super::Timestamp;

#[test]
fn a_timestamp_prints_as_rfc_3339_with_milliseconds_and_reads_back() {
    for (millis, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_780_000_000_123, "2026-05-28T20:26:40.123Z"),
        (Timestamp::MAX.as_millis(), "9999-12-30T22:00:00.000Z"),
    ] {
        let time = Timestamp::from_millis(millis);
        assert_eq!(time.to_string(), text);
        assert_eq!(Timestamp::parse(text), Some(time));
    }
}

#[test]
fn an_offset_is_understood_and_nonsense_is_not() {
    let utc = Timestamp::parse("2026-05-28T20:26:40Z");
    assert_eq!(Timestamp::parse("2026-05-28T22:26:40+02:00"), utc);
    for text in [
        "",
        "2026-05-28",
        "yesterday",
        "1969-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
    ] {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
}

#[test]
fn a_time_never_leaves_its_range() {
    assert_eq!(Timestamp::MAX.plus_millis(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::EPOCH.plus_millis(-1), Timestamp::EPOCH);
}

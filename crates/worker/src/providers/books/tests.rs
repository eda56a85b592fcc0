use super::*;
use domain::{Currency, Money};
use std::fs;

fn call(kind: CallKind) -> Call {
    Call {
        kind,
        order_id: OrderId::parse("01890000-0000-7000-8000-000000000001").unwrap(),
        round: 1,
        refund_id: None,
        amount: Money::from_minor(100),
        currency: Currency::USD,
        lines: Vec::new(),
        trace: None,
    }
}

#[test]
fn a_part_of_a_line_took_no_effect_and_does_not_spoil_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.jsonl");
    let now = Timestamp::from_millis(1);
    let books = Books::open(&path).unwrap();
    assert_eq!(books.apply(&call(CallKind::Authorise), now), Answer::Done);
    let one = fs::read_to_string(&path).unwrap();

    // As a disk leaves it that was full in the middle of a line, and a process that ended there.
    for part in ["{", "{\"at_ms\":1,", one.trim_end()] {
        fs::write(&path, format!("{one}{part}")).unwrap();
        assert_eq!(read(&path).unwrap().charges.len(), 1);
        let books = Books::open(&path).unwrap();
        assert_eq!(books.totals(), (1, 0, 0));
        assert_eq!(books.apply(&call(CallKind::Capture), now), Answer::Done);
        let two = fs::read_to_string(&path).unwrap();
        assert_eq!(two.lines().count(), 2, "{two}");
        assert!(two.starts_with(&one) && two.ends_with('\n'), "{two}");
        assert_eq!(Books::open(&path).unwrap().totals(), (1, 1, 0));
    }

    // In the middle there is no such thing.
    fs::write(&path, format!("{{\"at_ms\":1,\n{one}")).unwrap();
    let error = read(&path).unwrap_err();
    assert!(error.to_string().contains("not an entry"), "{error}");
}

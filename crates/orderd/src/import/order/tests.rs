use super::{moment, read};
use domain::idempotency::Retention;
use domain::place::Occasion;
use domain::{EventId, OrderId, Timestamp};
use store::foreign::{Foreign, ForeignKey, System};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

fn receipt() -> Foreign {
    Foreign {
        id: "7".to_owned(),
        customer_id: Some("cust1".to_owned()),
        lines: vec![("item1".to_owned(), 2)],
        status: Some("created".to_owned()),
        created_at: Some("2025-01-31 12:34:56.789000".to_owned()),
        entries: Some(1),
        keys: vec![ForeignKey {
            key: "k".to_owned(),
            status: 201,
            reply: r#"{"order_id":7,"status":"created"}"#.to_owned(),
        }],
        ..Foreign::default()
    }
}

fn reason(foreign: &Foreign) -> Result<Option<String>, String> {
    let occasion = Occasion {
        order_id: OrderId::least_at(NOW),
        event_id: EventId::least_at(NOW),
        now: NOW,
        fulfil_at: NOW,
        traceparent: None,
    };
    let retention = Retention {
        reply_ms: 1,
        tombstone_ms: 1,
    };
    let imported = read(System::NumberedReceipts, foreign, occasion, &retention)?;
    assert_eq!(
        imported.placing.claim.is_none(),
        imported.without_key.is_some()
    );
    Ok(imported.without_key)
}

#[test]
fn rows_that_contradict_each_other_are_refused_with_the_reason() {
    assert_eq!(reason(&receipt()), Ok(None));
    let mut wrong = receipt();
    wrong.entries = Some(0);
    assert_eq!(
        reason(&wrong),
        Err("it has 0 ledger entries, not one".to_owned())
    );
    let mut wrong = receipt();
    wrong.lines[0].1 = 0;
    assert!(reason(&wrong).unwrap_err().contains("quantity"));
    let mut wrong = receipt();
    wrong.customer_id = Some(" ".to_owned());
    assert!(reason(&wrong).unwrap_err().contains("customer_id"));
    let mut wrong = receipt();
    wrong.id = "x".to_owned();
    assert!(reason(&wrong).unwrap_err().contains("id"));
}

#[test]
fn an_order_comes_without_a_key_that_is_not_its_own() {
    let with = |change: fn(&mut ForeignKey)| {
        let mut foreign = receipt();
        change(&mut foreign.keys[0]);
        reason(&foreign).unwrap()
    };
    let another = with(|key| key.reply = r#"{"order_id":8}"#.to_owned());
    assert_eq!(
        another.as_deref(),
        Some("the answer of its key names another order")
    );
    let mut doubted = receipt();
    doubted.keys.push(doubted.keys[0].clone());
    assert_eq!(reason(&doubted), Ok(Some("2 keys stand for it".to_owned())));
    assert!(with(|key| key.status = 500).unwrap().contains("no success"));
    assert!(
        with(|key| key.key = "\u{7}".to_owned())
            .unwrap()
            .contains("printable")
    );
}

#[test]
fn a_time_is_read_as_the_older_systems_wrote_it() {
    let expected = Some(Timestamp::from_millis(1_738_326_896_789));
    for text in ["2025-01-31 12:34:56.789", "2025-01-31T12:34:56.789000Z"] {
        assert_eq!(moment(text), expected, "{text}");
    }
    assert_eq!(moment("yesterday"), None);
}

use super::{Body, Fingerprint, Key, Operation, Reply, Retention, Seen, replay};
use crate::json::Json;
use crate::{Refusal, Timestamp};

#[test]
fn a_key_is_printable_ascii_of_bounded_length() {
    let check = |header: &[u8], key: Option<&str>| {
        assert_eq!(
            Key::parse(header).as_ref().map(Key::as_str),
            key,
            "{header:?}"
        );
    };
    check(b"test-123", Some("test-123"));
    check(b"\"test-123\"", Some("test-123"));
    check(b" padded ", Some("padded"));
    check(b"two words", Some("two words"));
    check(b"\"", Some("\""));
    check(&[b'a'; 255], Some(&"a".repeat(255)));
    check(&[b'a'; 256], None);
    check(b"", None);
    check(b"   ", None);
    check(b"\"\"", None);
    check(b"a\tb", None);
    check("schlüssel".as_bytes(), None);
    check(b"caf\xe9", None);
}

#[test]
fn operations_have_their_own_codes() {
    for operation in Operation::ALL {
        assert_eq!(Operation::from_code(operation.code()), Some(operation));
    }
    assert_eq!(Operation::from_code(0), None);
}

fn fingerprint(operation: Operation, body: &str) -> Fingerprint {
    Fingerprint::of(operation, &Json::parse(body.as_bytes()).unwrap())
}

#[test]
fn the_same_body_on_another_route_is_another_request() {
    let body = r#"{"quantity":1}"#;
    let v1 = fingerprint(Operation::PlaceOrder, body);
    assert_eq!(
        v1,
        fingerprint(Operation::PlaceOrder, r#"{ "quantity": 1.0 }"#)
    );
    assert_ne!(v1, fingerprint(Operation::PlaceContractOrder, body));
    assert_ne!(v1, fingerprint(Operation::PlaceOrder, r#"{"quantity":2}"#));
}

#[test]
fn a_key_is_replayed_then_refused_then_forgotten() {
    let retention = Retention {
        reply_ms: 1_000,
        tombstone_ms: 5_000,
    };
    let sent = fingerprint(Operation::PlaceOrder, "{}");
    let other = fingerprint(Operation::PlaceOrder, "[]");
    let created_at = Timestamp::from_millis(10_000);
    let reply = Reply {
        status: 201,
        body: Body::Rendered(1),
    };
    let seen = Seen {
        fingerprint: sent,
        reply: reply.clone(),
        order: None,
        created_at,
    };
    let at = |millis| replay(&seen, &sent, Timestamp::from_millis(millis), &retention);

    assert_eq!(at(10_000), Ok(&reply));
    assert_eq!(at(10_999), Ok(&reply));
    assert_eq!(at(11_000), Err(Refusal::KeyExpired { order_id: None }));
    assert_eq!(
        at(9_000),
        Ok(&reply),
        "a clock that was set back expires nothing"
    );
    assert_eq!(
        replay(&seen, &other, created_at, &retention),
        Err(Refusal::KeyReused)
    );

    assert!(retention.forget_before(Timestamp::from_millis(16_000)) <= created_at);
    assert!(retention.forget_before(Timestamp::from_millis(16_001)) > created_at);
}

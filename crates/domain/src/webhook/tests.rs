use super::*;

fn endpoint() -> Endpoint {
    Endpoint {
        url: "https://example.org/".to_owned(),
        events: Vec::new(),
        description: None,
        disabled: None,
        secrets: vec![Secret {
            key: "a".to_owned(),
            until_ms: None,
        }],
        created_at_ms: 0,
        hands_over: false,
    }
}

#[test]
fn an_endpoint_is_told_of_what_it_wants_and_others_may_know() {
    let mut endpoint = endpoint();
    assert!(endpoint.wants(EventKind::OrderCompleted));
    assert!(!endpoint.wants(EventKind::TryFailed), "that is nobody's");
    endpoint.events = vec!["order.created.v1".to_owned()];
    assert!(endpoint.wants(EventKind::OrderCreated));
    assert!(!endpoint.wants(EventKind::OrderCompleted));
    endpoint.disabled = Some((Disabled::ByHand, 0));
    assert!(!endpoint.wants(EventKind::OrderCreated));
}

#[test]
fn an_old_secret_signs_for_a_day_more() {
    let mut endpoint = endpoint();
    let now = Timestamp::from_millis(1_000);
    for key in ["b", "c"] {
        endpoint.rotate(key.to_owned(), now);
    }
    let at = |now| endpoint.keys(now).collect::<Vec<_>>();
    assert_eq!(at(now), ["c", "b"]);
    assert_eq!(at(now.plus_millis(ROTATION_MS - 1)), ["c", "b"]);
    assert_eq!(at(now.plus_millis(ROTATION_MS)), ["c"]);
}

#[test]
fn tries_are_ten_in_three_days_spread_and_as_late_as_the_endpoint_wants() {
    for random in [0, 1, u64::MAX / 2, u64::MAX] {
        let waits: Vec<i64> = (1..).map_while(|tries| wait(tries, random, None)).collect();
        assert_eq!(waits.len(), 9);
        assert!(waits.is_sorted(), "{waits:?}");
        assert!((4_500..=5_500).contains(&waits[0]), "{waits:?}");
        let days = waits.iter().sum::<i64>() / 86_400_000;
        assert!((2..=3).contains(&days), "{waits:?}");
    }
    assert_eq!(wait(1, 0, Some(60_000)), Some(60_000));
    assert_eq!(wait(1, 0, Some(i64::MAX)), Some(86_400_000));
    assert_eq!(wait(0, 0, None), None);
}

#[test]
fn an_endpoint_reads_back() {
    let endpoint = endpoint();
    let Change::Record { body, .. } = endpoint.change(EndpointId::new(uuid::Uuid::nil()), 0) else {
        panic!("it is kept as a record");
    };
    assert_eq!(Endpoint::read(&body.unwrap()), Some(endpoint));
    assert_eq!(Endpoint::read(b"{}"), None);
}

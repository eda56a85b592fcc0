//! A fault at every call of the store, one at a time: a retry with the same key makes good.

use crate::service::{Answer, ORDER, RECEIPT, Service};
use std::sync::Arc;
use store::faulty::{Fault, Faulty};

/// A service whose store fails the call number `fail_at`, and the store.
async fn failing(fault: Fault, fail_at: u64) -> (Service, Arc<Faulty>) {
    let mut planted = None;
    let service = Service::over(
        |_| (),
        |store| {
            let faulty = Arc::new(Faulty::new(store, fault, fail_at));
            planted = Some(Arc::clone(&faulty));
            faulty
        },
    )
    .await;
    (service, planted.unwrap())
}

/// The number of the call that commits a placing; the one before it reads prices.
const COMMIT: u64 = 1;

/// Sends until there is an answer that is no 503; there are never more than two of these.
async fn insist(service: &Service, path: &str, body: &str) -> Answer {
    for _ in 0..3 {
        let headers = [("idempotency-key", "k")];
        let answer = service.send("POST", path, &headers, body.to_owned()).await;
        if answer.status != 503 {
            return answer;
        }
        assert!(answer.json()["retryable"] == true && answer.header("retry-after").is_some());
        assert!(!answer.body.contains("planted"), "{}", answer.body);
    }
    panic!("the store fails one call, not three");
}

/// What went wrong when an order was placed twice under one key, with a fault at one call; and
/// how many calls there were.
async fn violations(fault: Fault, fail_at: u64, path: &str, body: &str) -> (Vec<String>, u64) {
    let (service, faulty) = failing(fault, fail_at).await;
    let first = insist(&service, path, body).await;
    let again = insist(&service, path, body).await;
    let calls = faulty.calls();

    let mut violations = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            violations.push(format!("{fault:?} at {fail_at}: {what}"));
        }
    };
    check((first.status, again.status) == (201, 201), "not 201 twice");
    check(first.body == again.body, "another body the second time");
    check(
        again.header("idempotent-replayed") == Some("true"),
        "no replay",
    );
    check(service.orders().await == 1, "not one order");
    (violations, calls)
}

#[tokio::test]
async fn an_order_is_placed_once_whichever_call_of_the_store_fails() {
    for (path, body) in [("/v1/orders", ORDER), ("/orders", RECEIPT)] {
        for fault in [Fault::Unavailable, Fault::AnswerLost] {
            for fail_at in 0.. {
                let (violations, calls) = violations(fault, fail_at, path, body).await;
                assert_eq!(violations, [""; 0]);
                if calls <= fail_at {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_only_says_that_it_wrote_is_caught() {
    let (violations, _) = violations(Fault::Pretended, COMMIT, "/v1/orders", ORDER).await;
    assert!(!violations.is_empty());
}

#[tokio::test]
async fn a_lost_answer_and_a_store_that_is_away_are_different_problems() {
    let (service, _) = failing(Fault::Unavailable, 0).await;
    let answer = service.place("k", ORDER).await;
    answer.assert_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(service.orders().await, 0);

    let (service, _) = failing(Fault::AnswerLost, COMMIT).await;
    let answer = service.place("k", ORDER).await;
    answer.assert_problem(503, "outcome_unknown");
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn reads_fail_as_problems_too() {
    for path in [
        "/v1/orders",
        "/v1/orders/019e72e2-8400-7001-8000-000000000001",
        "/orders/019e72e2-8400-7001-8000-000000000001",
        "/v1/idempotency-keys/k",
    ] {
        let (service, _) = failing(Fault::Unavailable, 0).await;
        service.get(path).await.assert_problem(503, "unavailable");
    }
    let (service, _) = failing(Fault::Unavailable, 0).await;
    assert_eq!(service.get("/readyz").await.status, 503);
    assert_eq!(service.get("/readyz").await.status, 200);
    let (service, _) = failing(Fault::Unavailable, 0).await;
    assert_eq!(
        service.get("/metrics").await.status,
        200,
        "metrics need no store"
    );
}

#[tokio::test]
async fn a_panic_is_a_problem_with_the_request_id() {
    let service = Service::new().await.minting(|| panic!("planted"));
    let headers = [("idempotency-key", "k"), ("x-request-id", "abc")];
    let answer = service.send("POST", "/v1/orders", &headers, ORDER).await;
    answer.assert_problem(500, "internal");
    assert_eq!(answer.header("request-id"), Some("abc"));
    assert!(!answer.body.contains("planted"), "{}", answer.body);
}

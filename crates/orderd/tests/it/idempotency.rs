//! Idempotency keys: what is the same request, for how long, and what can be asked of a key.

use crate::access::make;
use crate::service::{Answer, DAY_MS, ORDER, RECEIPT, Service};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_replay_is_the_first_answer_byte_for_byte() {
    let service = Service::new().await;
    let first = service.place("k", ORDER).await;
    service.clock.move_by(DAY_MS);
    let spaced = "{ \"lines\": [ {\"quantity\": 2.0, \"item_id\": \"p\\u0065n\"} ],\n \"customer_id\": \"cust1\" }";
    for (key, body) in [("k", ORDER), ("\"k\"", ORDER), ("k", spaced)] {
        let again = service.place(key, body).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("location"), first.header("location"));
        assert_ne!(again.header("request-id"), first.header("request-id"));
    }
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn a_key_for_another_body_is_a_conflict_and_writes_nothing() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let other = ORDER.replace(":2}", ":3}");
    service
        .place("k", &other)
        .await
        .assert_problem(409, "idempotency_key_reused");
    assert_eq!(service.orders().await, 1);

    let draft = Service::with(|settings| settings.idempotency_mismatch_status = 422).await;
    draft.place("k", ORDER).await;
    draft
        .place("k", &other)
        .await
        .assert_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn what_is_sent_counts_and_not_what_is_made_of_it() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let explicit = ORDER.replacen('{', r#"{"fulfil":true,"#, 1);
    service
        .place("k", &explicit)
        .await
        .assert_problem(409, "idempotency_key_reused");
}

#[tokio::test]
async fn the_same_key_on_another_route_is_another_key() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let receipt = service
        .send("POST", "/orders", &[("idempotency-key", "k")], RECEIPT)
        .await;
    assert_eq!(
        (receipt.status, receipt.header("idempotent-replayed")),
        (201, None)
    );

    let records = service.get("/v1/idempotency-keys/k").await.json();
    let routes: Vec<_> = records["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["route"].clone())
        .collect();
    assert_eq!(routes, ["/v1/orders", "/orders"]);
}

#[tokio::test]
async fn an_expired_key_makes_no_second_order() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");

    service.clock.move_by(30 * DAY_MS - 1);
    assert_eq!(service.place("k", ORDER).await.status, 201);
    service.clock.move_by(1);
    let expired = service.place("k", ORDER).await;
    expired.assert_problem(409, "idempotency_key_expired");
    assert!(expired.field("detail").contains(&id));
    assert_eq!(service.orders().await, 1);

    service.clock.move_by(401 * DAY_MS);
    let anew = service.place("k", ORDER).await;
    assert_eq!(
        (anew.status, anew.header("idempotent-replayed")),
        (201, None)
    );
    assert_eq!(service.orders().await, 2);
}

#[tokio::test]
async fn a_key_can_be_left_out_where_the_operator_says_so() {
    let service = Service::with(|settings| settings.idempotency_required = false).await;
    for _ in 0..2 {
        assert_eq!(
            service.send("POST", "/v1/orders", &[], ORDER).await.status,
            201
        );
    }
    assert_eq!(service.orders().await, 2);
}

#[tokio::test]
async fn a_key_can_be_looked_up() {
    let service = Service::new().await;
    let id = service.place("a b", ORDER).await.field("order_id");
    service.place("a b", ORDER).await;
    let answer = service.get("/v1/idempotency-keys/a%20b").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        format!(
            "{{\"items\":[{{\"method\":\"POST\",\"route\":\"/v1/orders\",\
             \"fingerprint\":\"f969ae9577258aa904be9c2bca749e39\",\"status\":201,\
             \"order_id\":\"{id}\",\"created_at\":\"2026-05-28T20:26:40.000Z\",\
             \"replays\":1,\"expires_at\":\"2026-06-27T20:26:40.000Z\"}}]}}"
        )
    );
    service
        .get("/v1/idempotency-keys/other")
        .await
        .assert_problem(404, "not_found");
    let wrong = service.get("/v1/idempotency-keys/%C3%A9").await;
    wrong.assert_problem(400, "idempotency_key_invalid");
}

#[tokio::test]
async fn who_may_do_everything_looks_up_the_keys_of_others() {
    let service = Service::new().await;
    let [shop, other, admin] = [
        make(&service, "write").await,
        make(&service, "write").await,
        make(&service, "admin").await,
    ];
    let id = with(&service, &shop, "POST", "/v1/orders", ORDER)
        .await
        .field("order_id");
    let anonymous = service.place("k", ORDER).await.field("order_id");

    let own = "/v1/idempotency-keys/k".to_owned();
    let of = |token: &Answer| format!("{own}?principal={}", token.field("token_id"));
    let unnamed = format!("{own}?principal=anonymous");
    for (asks, path, order) in [
        (&shop, &own, Some(&id)),
        (&shop, &of(&shop), Some(&id)),
        (&admin, &own, None),
        (&admin, &of(&shop), Some(&id)),
        (&admin, &of(&other), None),
        (&admin, &unnamed, Some(&anonymous)),
    ] {
        let found = with(&service, asks, "GET", path, "").await;
        let items = found.json()["items"].clone();
        let expected = order.map_or(Value::Null, |id| json!(id));
        assert_eq!(items[0]["order_id"], expected, "{path}: {}", found.body);
    }
    for path in [&of(&shop), &unnamed] {
        let refused = with(&service, &other, "GET", path, "").await;
        refused.assert_problem(403, "forbidden");
        assert!(refused.field("detail").contains("scope admin"));
    }
    let refused = service.get(&of(&shop)).await;
    refused.assert_problem(401, "unauthorized");
    assert_eq!(service.get(&unnamed).await.status, 200, "that is oneself");
    let wrong = with(&service, &admin, "GET", &format!("{own}?principal=x"), "").await;
    wrong.assert_problem(400, "invalid_query");
}

#[tokio::test]
async fn requests_with_one_key_at_the_same_time_are_one_order() {
    let service = Arc::new(Service::new().await);
    let mut requests = JoinSet::new();
    for _ in 0..32 {
        let service = Arc::clone(&service);
        requests.spawn(async move { service.place("k", ORDER).await });
    }
    let answers = requests.join_all().await;
    let first = &answers[0].body;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.body == *first)
    );
    let replays = answers
        .iter()
        .filter(|it| it.header("idempotent-replayed").is_some())
        .count();
    assert_eq!((replays, service.orders().await), (31, 1));
}

/// Sends a request with the key `k`, as whoever has this token.
async fn with(service: &Service, token: &Answer, method: &str, path: &str, body: &str) -> Answer {
    let secret = token.field("token");
    crate::access::with(service, &secret, method, path, body).await
}

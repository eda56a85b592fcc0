//! The receipt contract at `/orders`.

use crate::service::{ORDER, RECEIPT, Service};

const KEY: [(&str, &str); 1] = [("idempotency-key", "test-123")];

#[tokio::test]
async fn a_receipt_is_an_id_and_a_status_and_nothing_else() {
    let service = Service::new().await;
    let answer = service.send("POST", "/orders", &KEY, RECEIPT).await;
    let id = answer.field("order_id");
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.body,
        format!(r#"{{"order_id":"{id}","status":"created"}}"#)
    );

    for path in [format!("/orders/{id}"), format!("/orders/{id}/")] {
        let read = service.get(&path).await;
        assert_eq!(read.status, 200);
        assert_eq!(
            read.body,
            format!(
                r#"{{"order_id":"{id}","customer_id":"cust1","item_id":"item1","quantity":1,"status":"created"}}"#
            )
        );
    }
}

#[tokio::test]
async fn a_receipt_is_an_order_of_v1_that_is_recorded_only() {
    let service = Service::new().await;
    let id = service
        .send("POST", "/orders/", &KEY, RECEIPT)
        .await
        .field("order_id");
    let order = service.get(&format!("/v1/orders/{id}")).await.json();
    assert_eq!(order["fulfil"], false);
    assert_eq!(order["lines"][0]["item_id"], "item1");

    let service = Service::with(|settings| settings.fulfil_all_contracts = true).await;
    let id = service
        .send("POST", "/orders", &KEY, RECEIPT)
        .await
        .field("order_id");
    assert_eq!(
        service.get(&format!("/v1/orders/{id}")).await.json()["fulfil"],
        true
    );
}

#[tokio::test]
async fn an_order_is_answered_in_the_words_it_was_placed_in() {
    let service = Service::new().await;
    let placed = service.place("k", ORDER).await;
    let id = placed.field("order_id");
    assert_eq!(
        service.get(&format!("/orders/{id}")).await.body,
        placed.body
    );
}

#[tokio::test]
async fn the_same_key_gives_the_same_receipt_and_another_payload_a_conflict() {
    let service = Service::new().await;
    let first = service.send("POST", "/orders", &KEY, RECEIPT).await;
    let again = service.send("POST", "/orders/", &KEY, RECEIPT).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));

    let other = service
        .send("POST", "/orders", &KEY, RECEIPT.replace(":1}", ":5}"))
        .await;
    other.assert_problem(409, "idempotency_key_reused");
    let read = service
        .get(&format!("/orders/{}", first.field("order_id")))
        .await;
    assert_eq!(read.json()["quantity"], 1);
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_given_to_the_retry() {
    let service = Service::new().await;
    let failing = [KEY[0], ("x-debug-fail-after-commit", "true")];
    let lost = service.send("POST", "/orders", &failing, RECEIPT).await;
    lost.assert_problem(500, "simulated_failure");
    assert_eq!(service.orders().await, 1);

    let retry = service.send("POST", "/orders", &KEY, RECEIPT).await;
    assert_eq!(retry.status, 201);
    let with_header = service.send("POST", "/orders", &failing, RECEIPT).await;
    assert_eq!((with_header.status, with_header.body), (201, retry.body));
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn the_fault_header_is_nothing_where_faults_are_off_or_it_says_something_else() {
    let service = Service::with(|settings| settings.faults_enabled = false).await;
    let failing = [KEY[0], ("x-debug-fail-after-commit", "true")];
    assert_eq!(
        service
            .send("POST", "/orders", &failing, RECEIPT)
            .await
            .status,
        201
    );

    let service = Service::new().await;
    let other = [KEY[0], ("x-debug-fail-after-commit", "True")];
    assert_eq!(
        service
            .send("POST", "/orders", &other, RECEIPT)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_missing_key_comes_before_a_wrong_field_and_after_broken_json() {
    let service = Service::new().await;
    let wrong = r#"{"customer_id":"c","item_id":"i","quantity":0}"#;
    let keyless = service.send("POST", "/orders", &[], wrong).await;
    keyless.assert_problem(400, "idempotency_key_missing");
    service
        .send("POST", "/orders", &[], "{")
        .await
        .assert_problem(400, "invalid_json");
    let keyed = service.send("POST", "/orders", &KEY, wrong).await;
    keyed.assert_problem(422, "validation_failed");

    let corrected = service.send("POST", "/orders", &KEY, RECEIPT).await;
    assert_eq!(corrected.status, 201, "a refusal uses no key up");
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_all_faults_are_told() {
    let service = Service::new().await;
    let more = RECEIPT.replacen('{', r#"{"status":"paid","order_id":"x","colour":"red","#, 1);
    let answer = service.send("POST", "/orders", &KEY, more).await;
    assert_eq!(answer.status, 201, "{}", answer.body);

    let answer = service
        .send(
            "POST",
            "/orders",
            &[("idempotency-key", "k")],
            r#"{"customer_id":5,"quantity":"2"}"#,
        )
        .await;
    answer.assert_problem(422, "validation_failed");
    let problem = answer.json();
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["/customer_id", "/item_id", "/quantity"]);
}

#[tokio::test]
async fn a_body_of_no_contract_is_told_which_there_are() {
    let service = Service::new().await;
    let answer = service
        .send("POST", "/orders", &KEY, r#"{"customer":"Alice"}"#)
        .await;
    answer.assert_problem(400, "invalid_body");
    for form in ["item_id", "items", "product_name"] {
        assert!(answer.field("detail").contains(form), "{}", answer.body);
    }
    assert_eq!(service.orders().await, 0);
}

//! The basket contract at `/orders`.

use crate::service::{ORDER, RECEIPT, Service};
use serde_json::json;

const BASKET: &str = r#"{"customer_name":"Alice","items":[{"name":"Pen","quantity":2}]}"#;

async fn place(service: &Service, body: &str) -> String {
    let answer = service.send("POST", "/orders", &[], body.to_owned()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.field("order_id")
}

async fn label(service: &Service, id: &str, status: &str) -> crate::service::Answer {
    let body = json!({ "status": status }).to_string();
    service
        .send("PATCH", &format!("/orders/{id}/status"), &[], body)
        .await
}

#[tokio::test]
async fn a_basket_needs_no_key_and_is_answered_whole() {
    let service = Service::new().await;
    let first = service.send("POST", "/orders", &[], BASKET).await;
    let id = first.field("order_id");
    let whole = format!(
        r#"{{"customer_name":"Alice","items":[{{"name":"Pen","quantity":2}}],"order_id":"{id}","status":"received"}}"#
    );
    assert_eq!((first.status, &first.body), (201, &whole));
    assert_eq!(first.header("location"), Some(&*format!("/orders/{id}")));
    assert_eq!(service.get(&format!("/orders/{id}/")).await.body, whole);

    let again = service.send("POST", "/orders/", &[], BASKET).await;
    assert_ne!(
        again.field("order_id"),
        id,
        "without a key it is another order"
    );
    let order = service.get(&format!("/v1/orders/{id}")).await.json();
    assert_eq!(
        (&order["fulfil"], &order["status"], &order["customer_name"]),
        (&json!(false), &json!("created"), &json!("Alice"))
    );
}

#[tokio::test]
async fn a_key_is_honoured_though_none_is_needed() {
    let service = Service::new().await;
    let key = [("idempotency-key", "k")];
    let first = service.send("POST", "/orders", &key, BASKET).await;
    label(&service, &first.field("order_id"), "shipped").await;
    let again = service.send("POST", "/orders", &key, BASKET).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    service
        .send("POST", "/orders", &key, BASKET.replace('2', "3"))
        .await
        .assert_problem(409, "idempotency_key_reused");
    service
        .send("POST", "/orders", &key, RECEIPT)
        .await
        .assert_problem(409, "idempotency_key_reused");
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_words_that_its_users_know() {
    let service = Service::new().await;
    let include = "Request must include 'customer_name' and a non-empty list of 'items'.";
    let object = "Each item must be an object with 'name' and 'quantity'.";
    let requires = "Each item requires 'name' and 'quantity'.";
    let integer = "Quantity must be an integer.";
    for (body, words) in [
        (r#"{"items":[{"name":"x","quantity":1}]}"#, include),
        (
            r#"{"customer_name":5,"items":[{"name":"x","quantity":1}]}"#,
            include,
        ),
        (r#"{"customer_name":"A","items":[]}"#, include),
        (r#"{"customer_name":"A","items":"x"}"#, include),
        (r#"{"customer_name":"A","items":[1]}"#, object),
        (r#"{"customer_name":"A","items":[{"name":"x"}]}"#, requires),
        (
            r#"{"customer_name":"A","items":[{"quantity":1}]}"#,
            requires,
        ),
        (
            r#"{"customer_name":"A","items":[{"name":"x","quantity":1.5}]}"#,
            integer,
        ),
        (
            r#"{"customer_name":"A","items":[{"name":"x","quantity":"2"}]}"#,
            integer,
        ),
        (
            r#"{"customer_name":"A","items":[{"name":"x","quantity":true}]}"#,
            integer,
        ),
        (
            r#"{"customer_name":"A","items":[{"name":"x","quantity":0}]}"#,
            "Quantity must be greater than zero.",
        ),
        (
            r#"{"customer_name":"A","items":[{"name":"x","quantity":1000001}]}"#,
            "A value is out of bounds.",
        ),
        (
            r#"{"customer_name":" ","items":[{"name":"x","quantity":1}]}"#,
            "A value is out of bounds.",
        ),
        (
            r#"{"customer_name":"A","items":[{"name":["x"],"quantity":1}]}"#,
            "A value is out of bounds.",
        ),
    ] {
        let answer = service.send("POST", "/orders", &[], body).await;
        answer.assert_problem(400, "validation_failed");
        assert!(answer.field("error").starts_with(words), "{}", answer.body);
        assert!(!answer.json()["errors"].as_array().unwrap().is_empty());
    }
    let many = vec![json!({"name": "x", "quantity": 1}); 41];
    let many = json!({"customer_name": "A", "items": many}).to_string();
    let answer = service.send("POST", "/orders", &[], many).await;
    answer.assert_problem(400, "validation_failed");
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn a_body_that_is_no_order_at_all_is_a_400() {
    let service = Service::new().await;
    for body in [
        "",
        "{bad",
        "{}",
        "[1]",
        "null",
        "5",
        r#"{"customer_name":"A"}"#,
    ] {
        let answer = service.send("POST", "/orders", &[], body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.field("error").is_empty());
    }
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn the_list_shows_every_order_whatever_contract_it_came_by() {
    let service = Service::new().await;
    let basket = place(&service, BASKET).await;
    let key = [("idempotency-key", "r")];
    let receipt = service.send("POST", "/orders", &key, RECEIPT).await;
    let own = service.place("k", ORDER).await;
    label(&service, &basket, "shipped").await;

    for path in ["/orders", "/orders/"] {
        let list = service.get(path).await.json();
        assert_eq!(
            list,
            json!({
                "total_orders": 3,
                "orders": [
                    {
                        "customer_name": "cust1", "items": [{"name": "pen", "quantity": 2}],
                        "order_id": own.field("order_id"), "status": "received",
                    },
                    {
                        "customer_name": "cust1", "items": [{"name": "item1", "quantity": 1}],
                        "order_id": receipt.field("order_id"), "status": "received",
                    },
                    {
                        "customer_name": "Alice", "items": [{"name": "Pen", "quantity": 2}],
                        "order_id": basket, "status": "shipped",
                    },
                ],
            })
        );
    }
}

#[tokio::test]
async fn a_label_is_a_word_and_raises_the_version() {
    let service = Service::new().await;
    let id = place(&service, BASKET).await;
    let answer = label(&service, &id, "on its way").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["status"], "on its way");
    assert_eq!(answer.header("etag"), Some("\"2\""));
    let order = service.get(&format!("/v1/orders/{id}")).await.json();
    assert_eq!(
        (&order["status"], &order["label"], &order["version"]),
        (&json!("created"), &json!("on its way"), &json!(2))
    );

    let words = "Request must include 'status'.";
    for body in [
        "{}",
        r#"{"status":""}"#,
        r#"{"status":5}"#,
        r#"{"status":["x"]}"#,
    ] {
        let path = format!("/orders/{id}/status");
        let answer = service.send("PATCH", &path, &[], body).await;
        answer.assert_problem(400, "validation_failed");
        assert!(answer.field("error").starts_with(words), "{}", answer.body);
    }
    let long = label(&service, &id, "a word of 21 letters.").await;
    long.assert_problem(400, "validation_failed");
    let unknown = "019e72e2-8400-7001-8000-000000000001";
    label(&service, unknown, "x")
        .await
        .assert_problem(404, "not_found");
    label(&service, "x", "x")
        .await
        .assert_problem(404, "not_found");

    let path = format!("/orders/{id}/status");
    let old = [("if-match", "\"1\"")];
    let body = r#"{"status":"late"}"#;
    let answer = service.send("PATCH", &path, &old, body).await;
    answer.assert_problem(412, "precondition_failed");
    let now = [("if-match", "\"1\", \"2\"")];
    assert_eq!(service.send("PATCH", &path, &now, body).await.status, 200);
}

#[tokio::test]
async fn a_deleted_order_is_in_no_read_and_its_ledger_entry_stays() {
    let service = Service::new().await;
    let id = place(&service, BASKET).await;
    let path = format!("/orders/{id}");
    service.get(&path).await;
    let deleted = service.send("DELETE", &path, &[], "").await;
    assert_eq!(
        (deleted.status, deleted.body),
        (
            200,
            format!(r#"{{"message":"Order '{id}' has been deleted."}}"#)
        )
    );
    for gone in [&path, &format!("{path}/"), &format!("/v1/orders/{id}")] {
        service.get(gone).await.assert_problem(404, "not_found");
    }
    assert_eq!(service.get("/orders").await.json()["total_orders"], 0);
    assert_eq!(service.get("/v1/orders").await.json()["items"], json!([]));
    let again = service.send("DELETE", &path, &[], "").await;
    again.assert_problem(404, "not_found");
    label(&service, &id, "x")
        .await
        .assert_problem(404, "not_found");
    assert!(service.findings().await.is_empty());
}

#[tokio::test]
async fn an_order_under_fulfilment_goes_its_own_way() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let answer = label(&service, &id, "shipped").await;
    answer.assert_problem(409, "illegal_transition");
    assert!(
        answer.field("detail").contains("created"),
        "{}",
        answer.body
    );
    let answer = service
        .send("DELETE", &format!("/orders/{id}"), &[], "")
        .await;
    answer.assert_problem(409, "illegal_transition");

    let service = Service::with(|settings| settings.fulfil_all_contracts = true).await;
    let id = place(&service, BASKET).await;
    label(&service, &id, "x")
        .await
        .assert_problem(409, "illegal_transition");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_delete_one_does_and_a_change_meanwhile_is_no_failure_inside() {
    let service = Service::new().await;
    for _ in 0..20 {
        let id = place(&service, BASKET).await;
        let path = format!("/orders/{id}");
        let (one, two, labelled) = tokio::join!(
            service.send("DELETE", &path, &[], ""),
            service.send("DELETE", &path, &[], ""),
            label(&service, &id, "x"),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404]);
        assert!(matches!(labelled.status, 200 | 404), "{}", labelled.body);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_on_purpose_was_written() {
    let service = Service::new().await;
    let fail = [("x-debug-fail-after-commit", "true")];
    let id = place(&service, BASKET).await;
    let path = format!("/orders/{id}/status");
    let answer = service
        .send("PATCH", &path, &fail, r#"{"status":"x"}"#)
        .await;
    answer.assert_problem(500, "simulated_failure");
    assert_eq!(
        service.get(&format!("/orders/{id}")).await.json()["status"],
        "x"
    );
    let answer = service
        .send("DELETE", &format!("/orders/{id}"), &fail, "")
        .await;
    answer.assert_problem(500, "simulated_failure");
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn the_list_has_a_bound_and_says_so() {
    let service = Service::new().await;
    let password = [("x-admin-password", crate::service::PASSWORD)];
    let seeded = service
        .send("POST", "/admin/seed", &password, "10001")
        .await;
    assert_eq!(seeded.status, 201);
    let answer = service.get("/orders").await;
    let list = answer.json();
    assert_eq!(
        (&list["total_orders"], &list["truncated"]),
        (&json!(10_000), &json!(true))
    );
    let oldest = list["orders"][9_999]["order_id"].clone();

    let link = answer.header("link").unwrap();
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    let rest = service.get(next).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(rest["items"][0]["order_id"].as_str() < oldest.as_str());
}

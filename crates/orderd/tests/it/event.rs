//! The event contract at `/orders/`.

use crate::fulfilment::{Scripted, drain};
use crate::service::Service;
use serde_json::json;

const ORDER: &str = r#"{"customer_name":"Ada","product_name":"Pen","quantity":2,"status":"Done"}"#;

#[tokio::test]
async fn it_is_answered_with_a_message_and_driven_to_its_end() {
    let service = Service::new().await;
    let placed = service.send("POST", "/orders/", &[], ORDER).await;
    let id = placed.json()["order"]["order_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let whole = format!(
        r#"{{"message":"Order created successfully","order":{{"order_id":"{id}","customer_name":"Ada","product_name":"Pen","quantity":2,"status":"Pending"}}}}"#
    );
    assert_eq!((placed.status, &placed.body), (201, &whole));
    assert_eq!(placed.header("location"), Some(&*format!("/orders/{id}/")));
    let status = async || service.get(&format!("/orders/{id}/")).await.field("status");
    assert_eq!(status().await, "Pending");

    drain(&service, Scripted::willing()).pass().await.unwrap();
    assert_eq!(status().await, "Completed");
    let order = service.get(&format!("/v1/orders/{id}")).await.json();
    assert_eq!(
        (&order["status"], &order["fulfil"]),
        (&json!("completed"), &json!(true))
    );
}

#[tokio::test]
async fn a_key_is_honoured_and_its_answer_stays_though_the_order_moves_on() {
    let service = Service::new().await;
    let key = [("idempotency-key", "k")];
    let first = service.send("POST", "/orders/", &key, ORDER).await;
    drain(&service, Scripted::willing()).pass().await.unwrap();
    let again = service.send("POST", "/orders", &key, ORDER).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn whatever_is_wrong_is_400_and_nothing_is_placed() {
    let service = Service::new().await;
    for body in [
        r#"{"product_name":"Pen","quantity":1}"#,
        r#"{"customer_name":"Ada","product_name":"Pen"}"#,
        r#"{"customer_name":"Ada","product_name":"","quantity":1}"#,
        r#"{"customer_name":"Ada","product_name":"Pen","quantity":0}"#,
        r#"{"customer_name":"Ada","product_name":"Pen","quantity":"1"}"#,
        r#"{"customer_name":5,"product_name":"Pen","quantity":1}"#,
    ] {
        let answer = service.send("POST", "/orders/", &[], body).await;
        answer.assert_problem(400, "validation_failed");
    }
    assert_eq!(service.orders().await, 0);
}

//! Money that is given back: once, whatever fails, and never more than was taken.

use crate::dead_letters::letters;
use crate::fulfilment::{Scripted, drain, drain_over, failed, kinds, order, place, settle};
use crate::service::{Answer as Reply, ORDER, Service};
use crate::stock::{set_stock, stock};
use domain::fulfil::{Answer, Call, CallKind, Refused};
use serde_json::{Value, json};
use std::sync::Arc;
use store::faulty::{Fault, Faulty};

/// What [`ORDER`] comes to: two pens.
const TOTAL: i64 = 300;

/// A completed order over [`TOTAL`], and the provider that took it.
async fn completed(service: &Service, provider: &Arc<Scripted>) -> String {
    let pen = json!({ "name": "Pen", "price_minor": 150 }).to_string();
    let priced = service.send("PUT", "/v1/products/pen", &[], pen).await;
    assert!(priced.status < 300, "{}", priced.body);
    set_stock(service, "pen", 5).await;
    let id = place(service, "order", ORDER).await;
    settle(service, &drain(service, Arc::clone(provider))).await;
    assert_eq!(order(service, &id).await["captured_minor"], TOTAL);
    id
}

async fn ask(service: &Service, id: &str, key: Option<&str>, body: Value) -> Reply {
    let path = format!("/v1/orders/{id}/refunds");
    let key: Vec<_> = key
        .map(|key| ("idempotency-key", key))
        .into_iter()
        .collect();
    service.send("POST", &path, &key, body.to_string()).await
}

async fn refunds(service: &Service, id: &str) -> Vec<Value> {
    let list = service.get(&format!("/v1/orders/{id}/refunds")).await;
    list.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_refund_is_asked_for_once_and_given_back_once() {
    let service = Service::new().await;
    let provider = Scripted::willing();
    let id = completed(&service, &provider).await;
    let body = json!({ "reason": "broken", "restock": true });
    let first = ask(&service, &id, Some("k"), body.clone()).await;
    assert_eq!(first.status, 202, "{}", first.body);
    assert_eq!(first.json()["status"], "pending");
    assert_eq!(first.json()["amount_minor"], TOTAL);
    let path = first.header("location").unwrap().to_owned();

    settle(&service, &drain(&service, Arc::clone(&provider))).await;
    let again = ask(&service, &id, Some("k"), body).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("location"), Some(&*path));

    let refund = service.get(&path).await.json();
    assert_eq!(
        (&refund["status"], &refund["reason"], &refund["tries"]),
        (&json!("succeeded"), &json!("broken"), &json!(0))
    );
    assert_eq!(refunds(&service, &id).await, [refund]);
    let order = order(&service, &id).await;
    assert_eq!(order["status"], "refunded");
    assert_eq!(order["refunded_minor"], TOTAL);
    assert_eq!(stock(&service, "pen").await["on_hand"], 5, "it came back");
    let kinds = kinds(&service, &id).await;
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["refund.requested", "payment.refunded", "order.refunded"]
    );
    assert_eq!(provider.books.refunded(), TOTAL);
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn parts_are_given_back_and_never_more_than_was_taken() {
    let service = Service::new().await;
    let provider = Scripted::willing();
    let id = completed(&service, &provider).await;
    let part = json!({ "amount_minor": 100, "reason": "late" });
    for key in ["a", "b"] {
        let asked = ask(&service, &id, Some(key), part.clone()).await;
        assert_eq!(asked.status, 202, "{}", asked.body);
    }
    let more = json!({ "amount_minor": 101, "reason": "late" });
    let refused = ask(&service, &id, Some("c"), more).await;
    refused.assert_problem(409, "refund_too_large");
    assert!(refused.field("detail").contains("100"), "{}", refused.body);
    settle(&service, &drain(&service, Arc::clone(&provider))).await;
    let order = order(&service, &id).await;
    assert_eq!(
        (&order["status"], &order["refunded_minor"]),
        (&json!("completed"), &json!(200))
    );
    let rest = ask(&service, &id, None, json!({ "reason": "late" })).await;
    assert_eq!(rest.json()["amount_minor"], 100);
    let nothing = ask(&service, &id, None, json!({ "reason": "late" })).await;
    nothing.assert_problem(409, "refund_too_large");
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn what_cannot_be_refunded_is_refused_and_nothing_is_written() {
    let service = Service::new().await;
    let provider = Scripted::willing();
    let id = completed(&service, &provider).await;
    let other = place(&service, "other", ORDER).await;
    let body = json!({ "reason": "broken" });

    let early = ask(&service, &other, None, body.clone()).await;
    early.assert_problem(409, "illegal_transition");
    assert!(
        early.field("detail").contains("Cancel it"),
        "{}",
        early.body
    );
    for wrong in [
        json!({}),
        json!({ "reason": "" }),
        json!({ "reason": "x", "amount_minor": 0 }),
        json!({ "reason": "x", "amount_minor": 1.5 }),
        json!({ "reason": "x", "restock": "yes" }),
        json!({ "reason": "x", "amount": 1 }),
    ] {
        let refused = ask(&service, &id, None, wrong).await;
        refused.assert_problem(422, "validation_failed");
    }
    let nowhere = "01926b3a-0000-7000-8000-000000000000";
    let missing = ask(&service, nowhere, None, body.clone()).await;
    missing.assert_problem(404, "not_found");
    let missing = service
        .get(&format!("/v1/orders/{id}/refunds/{nowhere}"))
        .await;
    missing.assert_problem(404, "not_found");
    assert_eq!(refunds(&service, &id).await, [] as [Value; 0]);

    assert_eq!(
        ask(&service, &id, Some("k"), body.clone()).await.status,
        202
    );
    let reused = ask(&service, &id, Some("k"), json!({ "reason": "late" })).await;
    reused.assert_problem(409, "idempotency_key_reused");
    let reused = ask(&service, &other, Some("k"), body).await;
    reused.assert_problem(409, "idempotency_key_reused");
    assert_eq!(refunds(&service, &id).await.len(), 1);
}

#[tokio::test]
async fn one_that_the_payment_service_refuses_says_why_and_leaves_the_order_as_it_was() {
    let service = Service::new().await;
    let provider = Scripted::before(|call, _| {
        let refused = Answer::Refused(Refused::Declined, "account closed".into());
        (call.kind == CallKind::Refund).then_some(refused)
    });
    let id = completed(&service, &provider).await;
    ask(&service, &id, None, json!({ "reason": "broken" })).await;
    settle(&service, &drain(&service, Arc::clone(&provider))).await;
    let refund = &refunds(&service, &id).await[0];
    assert_eq!(
        (&refund["status"], &refund["detail"]),
        (&json!("failed"), &json!("account closed"))
    );
    assert_eq!(order(&service, &id).await["status"], "completed");
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn a_fault_at_every_call_of_a_refund_leads_to_the_same_end() {
    for fault in [Fault::Unavailable, Fault::AnswerLost] {
        for fail_at in 0.. {
            let service = Service::new().await;
            let provider = Scripted::willing();
            let id = completed(&service, &provider).await;
            ask(&service, &id, None, json!({ "reason": "broken" })).await;
            let faulty = Arc::new(Faulty::new(Arc::clone(&service.app.store), fault, fail_at));
            let drain = drain_over(&service, Arc::clone(&faulty) as _, Arc::clone(&provider));
            settle(&service, &drain).await;
            is_refunded_once(&service, &id, &provider, &format!("{fault:?} {fail_at}")).await;
            if faulty.calls() <= fail_at {
                assert!(fail_at > 4, "faults were put at {fail_at} calls");
                break;
            }
        }
    }
}

#[tokio::test]
async fn lost_answers_and_long_absence_lead_to_one_refund() {
    // The answer to every call is lost until somebody brings the refund back.
    let lose = |call: &Call, number| (call.kind == CallKind::Refund && number < 23).then(failed);
    for provider in [Scripted::new(|_, _| None, lose), Scripted::before(lose)] {
        let service = Service::new().await;
        let id = completed(&service, &provider).await;
        ask(&service, &id, None, json!({ "reason": "broken" })).await;
        let worker = drain(&service, Arc::clone(&provider));
        settle(&service, &worker).await;
        let refund = &refunds(&service, &id).await[0];
        assert_eq!(
            (&refund["status"], &refund["tries"]),
            (&json!("pending"), &json!(20))
        );
        assert_eq!(service.findings().await, [], "a letter says why it rests");
        let letter = &letters(&service, "").await[0];
        assert_eq!(
            (&letter["order_id"], &letter["step"]),
            (&json!(id), &json!("refund"))
        );

        let letter_id = letter["letter_id"].as_str().unwrap();
        let redrive = format!("/v1/dead-letters/{letter_id}/redrive");
        for _ in 0..2 {
            let redriven = service.send("POST", &redrive, &[], String::new()).await;
            assert_eq!(redriven.status, 200, "{}", redriven.body);
        }
        settle(&service, &worker).await;
        is_refunded_once(&service, &id, &provider, "redriven").await;
    }
}

async fn is_refunded_once(service: &Service, id: &str, provider: &Scripted, when: &str) {
    let order = order(service, id).await;
    assert_eq!(order["status"], "refunded", "{when}");
    assert_eq!(order["refunded_minor"], TOTAL, "{when}");
    assert_eq!(provider.books.refunded(), TOTAL, "{when}");
    assert_eq!(service.findings().await, [], "{when}");
}

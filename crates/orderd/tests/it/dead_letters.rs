//! Orders that were given up: seen, brought back, let be, ruled on.

use crate::backend;
use crate::fulfilment::{LEASE_MS, Scripted, drain, failed, kinds, limits, order, place, settle};
use crate::service::{Answer as Reply, ORDER, Service};
use crate::stock::with_status;
use async_trait::async_trait;
use domain::fulfil::{Answer, CallKind, Refused};
use domain::{Clock, Consumer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::thread;
use worker::Drain;

async fn letters(service: &Service, query: &str) -> Vec<Value> {
    let list = service.get(&format!("/v1/dead-letters{query}")).await;
    list.json()["items"].as_array().unwrap().clone()
}

async fn post(service: &Service, path: &str, body: &str) -> Reply {
    service.send("POST", path, &[], body.to_owned()).await
}

#[tokio::test]
async fn an_order_that_was_given_up_is_brought_back_once() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let declining = Scripted::before(|call, _| {
        let refused = Answer::Refused(Refused::Declined, "no money".into());
        (call.kind == CallKind::Authorise && call.round == 1).then_some(refused)
    });
    let worker = drain(&service, Arc::clone(&declining));
    settle(&service, &worker).await;
    let waiting = letters(&service, "?reason=payment_declined").await;
    let letter_id = waiting[0]["letter_id"].as_str().unwrap();
    assert_eq!(
        (waiting.len(), &waiting[0]["compensated"]),
        (1, &json!("yes"))
    );
    assert_eq!(letters(&service, "?reason=poison").await.len(), 0);

    let redrive = format!("/v1/dead-letters/{letter_id}/redrive");
    for _ in 0..2 {
        let redriven = post(&service, &redrive, "").await;
        assert_eq!(
            (redriven.status, &*redriven.field("state")),
            (200, "redriven")
        );
    }
    settle(&service, &worker).await;
    let order = order(&service, &id).await;
    assert_eq!(
        (&order["status"], &order["failure"]),
        (&json!("completed"), &Value::Null)
    );
    let redriven = kinds(&service, &id).await;
    assert_eq!(
        redriven
            .iter()
            .filter(|kind| *kind == "order.redriven")
            .count(),
        1
    );
    assert_eq!(letters(&service, "").await.len(), 0);
    assert_eq!(letters(&service, "?state=all").await.len(), 1);
    assert_eq!(declining.books.totals(), (1, 1, 0));
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn letters_are_discarded_with_a_reason_and_brought_back_by_filter() {
    let service = Service::new().await;
    for n in 0..5 {
        place(&service, &format!("{n}"), ORDER).await;
    }
    let declining = Scripted::before(|call, _| {
        let refused = Answer::Refused(Refused::Declined, "no money".into());
        (call.kind == CallKind::Authorise && call.round == 1).then_some(refused)
    });
    let worker = drain(&service, declining);
    settle(&service, &worker).await;
    let waiting = letters(&service, "").await;
    let path = |n: usize, verb: &str| {
        let id = waiting[n]["letter_id"].as_str().unwrap();
        format!("/v1/dead-letters/{id}/{verb}")
    };
    post(&service, &path(0, "discard"), "{}")
        .await
        .assert_problem(422, "validation_failed");
    let discarded = post(&service, &path(0, "discard"), r#"{"reason":"a test"}"#).await;
    assert_eq!(discarded.field("state"), "discarded");
    post(&service, &path(0, "redrive"), "")
        .await
        .assert_problem(409, "illegal_transition");

    let all = "/v1/dead-letters/redrive";
    let dry = post(&service, all, r#"{"dry_run":true}"#).await;
    assert_eq!(dry.json(), json!({ "matching": 4, "redriven": 0 }));
    let capped = post(&service, all, r#"{"limit":1,"reason":"payment_declined"}"#).await;
    assert_eq!(capped.json(), json!({ "matching": 1, "redriven": 1 }));
    let rest = post(&service, all, "{}").await;
    assert_eq!(rest.json(), json!({ "matching": 3, "redriven": 3 }));
    post(&service, all, r#"{"limit":0}"#)
        .await
        .assert_problem(422, "validation_failed");
    settle(&service, &worker).await;
    assert_eq!(with_status(&service, "completed").await, 4);
    assert_eq!(with_status(&service, "failed").await, 1);
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn what_cannot_be_undone_waits_for_a_person() {
    for (ruling, end) in [("undo", "failed"), ("complete", "completed")] {
        let service = Service::new().await;
        let id = place(&service, "k", ORDER).await;
        // It is authorised, and nobody is told; and then it cannot be voided for a long time.
        let stuck = Scripted::new(
            |call, number| (call.kind == CallKind::Void && number < 26).then(failed),
            |call, _| (call.kind == CallKind::Authorise).then(failed),
        );
        let worker = drain(&service, Arc::clone(&stuck));
        settle(&service, &worker).await;
        assert_eq!(
            order(&service, &id).await["status"],
            "needs_review",
            "{:?}",
            stuck.calls()
        );
        let waiting = letters(&service, "?reason=compensation_failed").await;
        assert_eq!(waiting[0]["compensated"], "partial");
        let letter = waiting[0]["letter_id"].as_str().unwrap();
        let redrive = format!("/v1/dead-letters/{letter}/redrive");
        post(&service, &redrive, "")
            .await
            .assert_problem(409, "illegal_transition");

        let path = format!("/v1/orders/{id}/ruling");
        post(&service, &path, r#"{"ruling":"undo"}"#)
            .await
            .assert_problem(422, "validation_failed");
        let body = json!({ "ruling": ruling, "reason": "looked it up" }).to_string();
        let ruled = post(&service, &path, &body).await;
        assert_eq!(ruled.status, 200, "{}", ruled.body);
        settle(&service, &worker).await;
        assert_eq!(order(&service, &id).await["status"], end);
        assert_eq!(
            letters(&service, "?reason=compensation_failed").await.len(),
            0
        );
        assert_eq!(service.findings().await, []);
    }
}

#[tokio::test]
async fn what_cannot_be_worked_on_is_buried_at_once_and_goes_on_when_it_is_mended() {
    let service = Service::new().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(place(&service, &format!("{n}"), ORDER).await);
    }
    let damage = |currency: &str| {
        let second = "select order_id from order_rows order by order_id limit 1 offset 1";
        let sql = format!(
            "update order_rows set currency = '{currency}'
            where order_id = (select order_id from ({second}) as second)"
        );
        let url = service.url.clone();
        thread::spawn(move || backend::read(&url, &sql))
            .join()
            .unwrap();
    };
    damage("?");
    let provider = Scripted::willing();
    let worker = drain(&service, Arc::clone(&provider));
    worker.pass().await.unwrap();
    assert_eq!(order(&service, &ids[0]).await["status"], "completed");
    assert_eq!(order(&service, &ids[2]).await["status"], "completed");
    let buried = letters(&service, "?reason=poison").await;
    assert_eq!(buried[0]["order_id"], json!(ids[1]));
    let redrive = format!("/v1/dead-letters/{}:0/redrive", ids[1]);
    post(&service, &redrive, "")
        .await
        .assert_problem(500, "internal");

    damage("USD");
    for _ in 0..2 {
        assert_eq!(post(&service, &redrive, "").await.status, 200);
        settle(&service, &worker).await;
    }
    assert_eq!(order(&service, &ids[1]).await["status"], "completed");
    assert_eq!(provider.books.totals(), (3, 3, 0));
    assert_eq!(service.findings().await, []);
}

/// Never comes to anything.
struct Broken;

#[async_trait]
impl worker::Handler for Broken {
    async fn handle(&self, _: domain::Lease) -> worker::Verdict {
        worker::Verdict::Retry("for no known reason".to_owned())
    }
}

#[tokio::test]
async fn what_is_received_in_vain_too_often_is_buried() {
    let service = Service::new().await;
    place(&service, "k", ORDER).await;
    let clock: Arc<dyn Clock> = Arc::clone(&service.app.clock);
    let store = Arc::clone(&service.app.store);
    let drain = Drain::new(store, clock, Consumer::Fulfil, limits(), Broken);
    for received in 1..=6 {
        assert_eq!(
            letters(&service, "?reason=poison").await.len(),
            0,
            "{received}"
        );
        assert_eq!(drain.pass().await.unwrap(), 1);
        service.clock.move_by(LEASE_MS);
    }
    assert_eq!(letters(&service, "?reason=poison").await.len(), 1);
    assert_eq!(service.findings().await, []);
}

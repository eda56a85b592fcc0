//! Orders that were given up: seen, brought back, let be, ruled on.

use crate::backend;
use crate::fulfilment::{LEASE_MS, Scripted, drain, failed, kinds, limits, order, place, settle};
use crate::service::{Answer as Reply, ORDER, Service};
use crate::stock::with_status;
use async_trait::async_trait;
use domain::fulfil::{Answer, CallKind, Refused};
use domain::letter::LetterState;
use domain::{Change, Clock, Consumer, Letter, OrderId, WriteSet};
use serde_json::{Value, json};
use std::sync::Arc;
use std::thread;
use store::Committed;
use store::faulty::{Fault, Faulty};
use worker::Drain;

pub(crate) async fn letters(service: &Service, query: &str) -> Vec<Value> {
    let list = service.get(&format!("/v1/dead-letters{query}")).await;
    list.json()["items"].as_array().unwrap().clone()
}

async fn post(service: &Service, path: &str, body: &str) -> Reply {
    service.send("POST", path, &[], body.to_owned()).await
}

/// What a redrive of many says.
fn counts(matching: u32, redriven: u32, skipped: u32, more: bool) -> Value {
    json!({ "matching": matching, "redriven": redriven, "skipped": skipped, "more": more })
}

/// What happened to an order last, and what there is to say of it.
async fn newest(service: &Service, id: &str) -> (String, Value) {
    let timeline = service.get(&format!("/v1/orders/{id}/timeline")).await;
    let last = timeline.json()["items"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    (
        last["kind"].as_str().unwrap().to_owned(),
        last["detail"].clone(),
    )
}

/// Declines the first round of every order.
fn declining() -> Arc<Scripted> {
    Scripted::before(|call, _| {
        let refused = Answer::Refused(Refused::Declined, "no money".into());
        (call.kind == CallKind::Authorise && call.round == 1).then_some(refused)
    })
}

#[tokio::test]
async fn an_order_that_was_given_up_is_brought_back_once() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let declining = declining();
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
    let declining = declining();
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
    let order = waiting[0]["order_id"].as_str().unwrap();
    let by = json!({ "actor": "anonymous", "reason": "a test" });
    assert_eq!(
        newest(&service, order).await,
        ("dead_letter.discarded.v1".into(), by)
    );
    post(&service, &path(0, "redrive"), "")
        .await
        .assert_problem(409, "illegal_transition");

    let all = "/v1/dead-letters/redrive";
    for (body, counts) in [
        (r#"{"dry_run":true,"limit":3}"#, counts(4, 0, 0, true)),
        (r#"{"dry_run":true,"limit":4}"#, counts(4, 0, 0, false)),
        (r#"{"reason":"poison"}"#, counts(0, 0, 0, false)),
        (
            r#"{"limit":1,"reason":"payment_declined"}"#,
            counts(4, 1, 0, true),
        ),
        (r#"{"note":"a new card"}"#, counts(3, 3, 0, false)),
    ] {
        assert_eq!(post(&service, all, body).await.json(), counts, "{body}");
    }
    let order = waiting[4]["order_id"].as_str().unwrap();
    let by = json!({ "actor": "anonymous", "reason": "a new card" });
    assert_eq!(
        newest(&service, order).await,
        ("order.redriven.v1".into(), by)
    );
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
        for body in [r#"{"dry_run":true}"#, "{}"] {
            let all = post(&service, "/v1/dead-letters/redrive", body).await;
            assert_eq!(all.json(), counts(0, 0, 1, false), "{body}");
        }
        let page = service.get("/ui/dead-letters").await.body;
        assert!(page.contains("could not be undone"), "{page}");
        assert!(!page.contains("Redrive all"), "{page}");

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
    let damage = |currency| damage(&service, 1, currency);
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
        let body = r#"{"reason":"mended"}"#;
        assert_eq!(post(&service, &redrive, body).await.status, 200);
        let events = service
            .get(&format!("/v1/orders/{}/timeline", ids[1]))
            .await;
        assert_eq!(events.body.matches("order.redriven.v1").count(), 1);
        assert!(events.body.contains("mended"), "{}", events.body);
        settle(&service, &worker).await;
    }
    assert_eq!(order(&service, &ids[1]).await["status"], "completed");
    assert_eq!(provider.books.totals(), (3, 3, 0));
    assert_eq!(service.findings().await, []);
}

/// Gives the order of this place a currency that there is not, or one that there is.
fn damage(service: &Service, place: u32, currency: &str) {
    let one = format!("select order_id from order_rows order by order_id limit 1 offset {place}");
    let sql = format!(
        "update order_rows set currency = '{currency}'
        where order_id = (select order_id from ({one}) as one)"
    );
    let url = service.url.clone();
    thread::spawn(move || backend::read(&url, &sql))
        .join()
        .unwrap();
}

#[tokio::test]
async fn a_letter_whose_order_nobody_can_see_is_discarded_all_the_same() {
    let service = Service::new().await;
    let hidden = place(&service, "0", ORDER).await;
    settle(&service, &drain(&service, declining())).await;
    let path = format!("/orders/{hidden}");
    assert_eq!(service.send("DELETE", &path, &[], "").await.status, 200);
    if !backend::is_dynamodb() {
        place(&service, "1", ORDER).await;
        damage(&service, 1, "?");
        drain(&service, declining()).pass().await.unwrap();
    }
    let all = post(&service, "/v1/dead-letters/redrive", "{}")
        .await
        .json();
    assert_eq!((&all["redriven"], &all["more"]), (&json!(0), &json!(false)));
    for letter in letters(&service, "").await {
        let path = format!(
            "/v1/dead-letters/{}/discard",
            letter["letter_id"].as_str().unwrap()
        );
        let discarded = post(&service, &path, r#"{"reason":"a test"}"#).await;
        assert_eq!(discarded.field("state"), "discarded", "{letter}");
        assert!(discarded.field("note").contains("anonymous"));
    }
    assert_eq!(letters(&service, "").await.len(), 0);
}

#[tokio::test]
async fn letters_that_wait_are_found_behind_any_number_of_settled_ones() {
    let service = Service::new().await;
    let now = service.app.clock.now();
    let settled = (0..10_100).map(|_| {
        let order = OrderId::new(service.app.ids.mint(now));
        let letter = Letter {
            state: LetterState::Discarded,
            ..Letter::poison(order, "a test", now)
        };
        letter.change(0)
    });
    let settled: Vec<Change> = settled.collect();
    for changes in settled.chunks(100) {
        let write_set = WriteSet {
            claim: None,
            changes: changes.to_vec(),
        };
        let committed = service.app.store.commit(Arc::new(write_set)).await;
        assert_eq!(committed.unwrap(), Committed::Done);
    }
    let id = place(&service, "k", ORDER).await;
    settle(&service, &drain(&service, declining())).await;

    let all = "/v1/dead-letters/redrive";
    let dry = post(&service, all, r#"{"dry_run":true}"#).await;
    assert_eq!(dry.json(), counts(1, 0, 0, false));
    if !backend::is_dynamodb() {
        let waiting = letters(&service, "?reason=payment_declined&limit=1").await;
        assert_eq!(waiting[0]["order_id"], json!(id));
        let page = service.get("/ui/dead-letters").await.body;
        assert!(page.contains("Redrive all “payment declined”"), "{page}");
    }
    let redriven = post(&service, all, "{}").await;
    assert_eq!(redriven.json(), counts(1, 1, 0, false));
}

#[tokio::test]
async fn a_redrive_that_the_store_cuts_off_says_so_and_goes_on_when_it_is_asked_again() {
    let mut planted = None;
    let service = Service::over(
        |_| (),
        |store| {
            let faulty = Arc::new(Faulty::new(store, Fault::Unavailable, u64::MAX));
            planted = Some(Arc::clone(&faulty));
            faulty
        },
    )
    .await;
    let faulty = planted.unwrap();
    for n in 0..3 {
        place(&service, &format!("{n}"), ORDER).await;
    }
    settle(&service, &drain(&service, declining())).await;
    // The letters are read; then an order is read and written.
    let all = "/v1/dead-letters/redrive";
    for (ahead, so_far) in [(0, None), (1, Some("0 orders")), (4, Some("1 orders"))] {
        faulty.plant(ahead);
        let stopped = post(&service, all, "{}").await;
        stopped.assert_problem(503, "unavailable");
        let detail = stopped.field("detail");
        assert!(
            so_far.is_none_or(|so_far| detail.starts_with(so_far)),
            "{detail}"
        );
    }
    let rest = post(&service, all, "{}").await;
    assert_eq!(rest.json(), counts(2, 2, 0, false));
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

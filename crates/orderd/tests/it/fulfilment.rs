//! Fulfilment, with providers that do as a script says and a clock that is moved by hand.

use crate::harness::setting;
use crate::service::{Answer as Reply, ORDER, Service};
use async_trait::async_trait;
use domain::fulfil::{Answer, Call, CallKind, Inventory, Refused, Retry, Rules};
use domain::{Clock, Consumer, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::faulty::{Fault, Faulty};
use store::{OrderQuery, Store};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use worker::providers::books::Books;
use worker::{Drain, Fulfil, Limits, Provider};

const LEASE_MS: i64 = 5_000;
const DEADLINE_MS: i64 = 900_000;

type Script = dyn Fn(&Call, u64) -> Option<Answer> + Send + Sync;

/// A provider with books of its own. The script sees each call and its number, and may answer in
/// its place.
pub(crate) struct Scripted {
    script: Box<Script>,
    after: Box<Script>,
    books: Books,
    calls: Mutex<Vec<String>>,
    count: AtomicU64,
}

impl Scripted {
    /// Says yes to everything.
    pub(crate) fn willing() -> Arc<Self> {
        Self::before(|_, _| None)
    }

    /// Answers as `script` says before anything takes effect.
    pub(crate) fn before(
        script: impl Fn(&Call, u64) -> Option<Answer> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::new(script, |_, _| None)
    }

    fn new(
        script: impl Fn(&Call, u64) -> Option<Answer> + Send + Sync + 'static,
        after: impl Fn(&Call, u64) -> Option<Answer> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            after: Box::new(after),
            books: Books::in_memory(),
            calls: Mutex::default(),
            count: AtomicU64::new(0),
        })
    }

    /// The calls so far, in their words.
    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Provider for Scripted {
    async fn call(&self, call: &Call) -> Answer {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        self.calls.lock().unwrap().push(call.kind.to_string());
        if let Some(answer) = (self.script)(call, number) {
            return answer;
        }
        let answer = self.books.apply(call, domain::Timestamp::EPOCH);
        (self.after)(call, number).unwrap_or(answer)
    }
}

fn failed() -> Answer {
    Answer::Failed("away".into(), None)
}

/// How orders are fulfilled in tests.
pub(crate) fn rules() -> Rules {
    Rules {
        inventory: Inventory::Own,
        tries_max: 5,
        tries_max_to_end: 20,
        deadline_ms: DEADLINE_MS,
        retry: Retry {
            base_ms: 200,
            max_ms: 30_000,
        },
    }
}

/// The worker of `service`, with one provider for money and stock.
pub(crate) fn drain(service: &Service, provider: Arc<Scripted>) -> Drain<Fulfil> {
    drain_over(service, Arc::clone(&service.app.store), provider)
}

fn drain_over(service: &Service, store: Arc<dyn Store>, provider: Arc<Scripted>) -> Drain<Fulfil> {
    let clock: Arc<dyn Clock> = Arc::clone(&service.app.clock);
    let fulfil = Fulfil {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        ids: Arc::clone(&service.app.ids),
        random: Box::new(|| 0),
        rules: rules(),
        payments: Arc::clone(&provider) as Arc<dyn Provider>,
        inventory: provider,
        lease_ms: LEASE_MS,
    };
    let limits = Limits {
        batch: 5,
        concurrency: 256,
        lease_ms: LEASE_MS,
        received_max: 5,
    };
    Drain::new(store, clock, Consumer::Fulfil, limits, fulfil)
}

/// Lets the worker work, and moves the clock on, until nothing is left to do.
pub(crate) async fn settle(service: &Service, drain: &Drain<Fulfil>) {
    let mut idle = 0;
    for _ in 0..500 {
        let worked = drain.pass().await.unwrap_or(1);
        idle = if worked == 0 { idle + 1 } else { 0 };
        if idle > 8 {
            return;
        }
        service.clock.move_by(LEASE_MS);
    }
    panic!("there is still something to do");
}

async fn place(service: &Service, key: &str, body: &str) -> String {
    let key = [("idempotency-key", key)];
    let placed = service
        .send("POST", "/v1/orders", &key, body.to_owned())
        .await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    placed.field("order_id")
}

async fn order(service: &Service, id: &str) -> Value {
    let answer: Reply = service.get(&format!("/v1/orders/{id}")).await;
    answer.json()
}

#[tokio::test]
async fn an_order_is_paid_for_and_completed_and_what_was_answered_stays() {
    let service = Service::new();
    let id = place(&service, "k", ORDER).await;
    let provider = Scripted::willing();
    drain(&service, Arc::clone(&provider)).pass().await.unwrap();
    assert_eq!(provider.calls(), ["reserve", "authorise", "capture"]);
    let order = order(&service, &id).await;
    assert_eq!(order["status"], "completed");
    assert_eq!(order["version"], 4);
    assert_eq!(order["failure"], Value::Null);
    assert_eq!(service.findings().await, []);
    let again = place(&service, "k", ORDER).await;
    assert_eq!(again, id);
}

#[tokio::test]
async fn a_call_that_fails_is_tried_again_later_under_the_same_id() {
    let service = Service::new();
    let id = place(&service, "k", ORDER).await;
    let provider = Scripted::before(|_, number| (number % 3 != 2).then(failed));
    let drain = drain(&service, Arc::clone(&provider));
    drain.pass().await.unwrap();
    assert_eq!(
        provider.calls(),
        ["reserve"],
        "the worker does not wait for it"
    );
    settle(&service, &drain).await;
    assert_eq!(order(&service, &id).await["status"], "completed");
    assert_eq!(provider.calls().len(), 9);
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn a_declined_order_fails_and_says_why() {
    let service = Service::new();
    let id = place(&service, "k", ORDER).await;
    let provider = Scripted::before(|call, _| {
        let refused = Answer::Refused(Refused::Declined, "no money".into());
        (call.kind == CallKind::Authorise).then_some(refused)
    });
    settle(&service, &drain(&service, Arc::clone(&provider))).await;
    assert_eq!(provider.calls(), ["reserve", "authorise"]);
    let order = order(&service, &id).await;
    assert_eq!(order["status"], "failed");
    let failure =
        json!({ "reason": "payment_declined", "step": "authorise", "detail": "no money" });
    assert_eq!(order["failure"], failure);
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn a_fault_at_every_call_leads_to_the_same_end() {
    for fault in [Fault::Unavailable, Fault::AnswerLost] {
        for fail_at in 0.. {
            let service = Service::new();
            let id = place(&service, "k", ORDER).await;
            let faulty = Arc::new(Faulty::new(Arc::clone(&service.app.store), fault, fail_at));
            let provider = Scripted::willing();
            let drain = drain_over(&service, Arc::clone(&faulty) as _, Arc::clone(&provider));
            settle(&service, &drain).await;
            end_is_the_same(
                &service,
                &id,
                &provider,
                &format!("store {fault:?} {fail_at}"),
            )
            .await;
            if faulty.calls() <= fail_at {
                assert!(fail_at > 5, "faults were put at {fail_at} calls");
                break;
            }
        }
    }
    for fail_at in 0..3 {
        let at = move |_: &Call, number| (number == fail_at).then(failed);
        for provider in [Scripted::before(at), Scripted::new(|_, _| None, at)] {
            let service = Service::new();
            let id = place(&service, "k", ORDER).await;
            settle(&service, &drain(&service, Arc::clone(&provider))).await;
            end_is_the_same(&service, &id, &provider, &format!("provider {fail_at}")).await;
        }
    }
}

async fn end_is_the_same(service: &Service, id: &str, provider: &Scripted, when: &str) {
    let order = order(service, id).await;
    assert_eq!(order["status"], "completed", "{when}");
    assert_eq!(order["failure"], Value::Null, "{when}");
    assert_eq!(provider.books.totals(), (1, 1, 0), "{when}");
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn what_cannot_be_done_is_undone_whatever_was_lost() {
    for lost in [false, true] {
        let service = Service::new();
        let id = place(&service, "k", ORDER).await;
        let capture = |call: &Call, _| (call.kind == CallKind::Capture).then(failed);
        let provider = if lost {
            Scripted::new(|_, _| None, capture)
        } else {
            Scripted::before(capture)
        };
        settle(&service, &drain(&service, Arc::clone(&provider))).await;
        let order = order(&service, &id).await;
        if lost {
            assert_eq!(order["status"], "completed", "it was captured after all");
            assert_eq!(provider.books.totals(), (1, 1, 0));
        } else {
            assert_eq!(order["status"], "failed");
            assert_eq!(order["failure"]["reason"], "retries_exhausted");
            assert_eq!(provider.books.totals(), (1, 0, 1));
        }
        assert_eq!(service.findings().await, []);
    }
}

async fn set_stock(service: &Service, item_id: &str, on_hand: u64) {
    let body = json!({ "on_hand": on_hand, "reason": "stocktaking" }).to_string();
    let set = service
        .send("PUT", &format!("/v1/stock/{item_id}"), &[], body)
        .await;
    assert_eq!(set.status, 200, "{}", set.body);
}

async fn stock(service: &Service, item_id: &str) -> Value {
    service.get(&format!("/v1/stock/{item_id}")).await.json()
}

async fn kinds(service: &Service, id: &str) -> Vec<String> {
    let timeline = service.get(&format!("/v1/orders/{id}/timeline")).await;
    let items = timeline.json()["items"].as_array().unwrap().clone();
    let kind = |item: &Value| item["kind"].as_str().unwrap().replace(".v1", "");
    items.iter().map(kind).collect()
}

#[tokio::test]
async fn stock_is_held_taken_and_never_oversold() {
    let service = Service::new();
    set_stock(&service, "pen", 5).await;
    let (first, second) = (
        place(&service, "a", ORDER).await,
        place(&service, "b", &ORDER.replace(":2", ":4")).await,
    );
    let provider = Scripted::before(|call, number| {
        // The first order waits for its capture, and holds its stock meanwhile.
        (call.kind == CallKind::Capture && number == 2).then(failed)
    });
    let drain = drain(&service, provider);
    drain.pass().await.unwrap();
    let held = json!({ "item_id": "pen", "on_hand": 5, "reserved": 2, "available": 3 });
    assert_eq!(stock(&service, "pen").await, held);
    assert_eq!(
        order(&service, &second).await["failure"]["reason"],
        "stock_unavailable"
    );
    assert_eq!(order(&service, &second).await["status"], "failed");

    settle(&service, &drain).await;
    assert_eq!(order(&service, &first).await["status"], "completed");
    let taken = json!({ "item_id": "pen", "on_hand": 3, "reserved": 0, "available": 3 });
    assert_eq!(stock(&service, "pen").await, taken);
    assert_eq!(
        kinds(&service, &first).await,
        [
            "order.created",
            "order.processing",
            "stock.reserved",
            "payment.authorised",
            "order.try_failed",
            "payment.captured",
            "order.completed"
        ]
    );
    assert_eq!(service.findings().await, []);
}

/// Buyers come all at once: the loop works on many orders at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_buyers_of_few_units_buy_exactly_those() {
    let rounds = setting("ORDERD_HARNESS_ROUNDS").unwrap_or(2);
    for _ in 0..rounds {
        let service = Service::new();
        set_stock(&service, "pen", 100).await;
        let one = ORDER.replace(":2", ":1");
        for buyer in 0..1_000 {
            place(&service, &format!("{buyer}"), &one).await;
        }
        let stop = CancellationToken::new();
        let mut signal = service.app.store.signal();
        let drain = drain(&service, Scripted::willing());
        let work = drain.run(stop.clone());
        let watch = async {
            while left(&service).await > 0 {
                let _moved = timeout(Duration::from_millis(20), signal.changed()).await;
            }
            stop.cancel();
        };
        tokio::join!(work, watch);

        let sold = json!({ "item_id": "pen", "on_hand": 0, "reserved": 0, "available": 0 });
        assert_eq!(stock(&service, "pen").await, sold);
        assert_eq!(with_status(&service, "completed").await, 100);
        assert_eq!(with_status(&service, "failed").await, 900);
        assert_eq!(service.findings().await, []);
    }
}

/// How many orders are not at their end.
async fn left(service: &Service) -> usize {
    let mut left = 0;
    for status in ["created", "processing", "compensating"] {
        left += with_status(service, status).await;
    }
    left
}

async fn with_status(service: &Service, status: &str) -> usize {
    let query = OrderQuery {
        customer_id: None,
        status: Status::parse(status),
        from: None,
        before: None,
        limit: 10_000,
    };
    service.app.store.orders(query).await.unwrap().items.len()
}

#[tokio::test]
async fn stock_is_counted_from_the_first_time_on_and_what_is_held_stays() {
    let service = Service::new();
    let none = service.get("/v1/stock/pen").await;
    none.assert_problem(404, "not_found");
    set_stock(&service, "pen", 2).await;
    let adjust = async |change: i64| {
        let body = json!({ "change": change, "reason": "delivery" }).to_string();
        service.send("POST", "/v1/stock/pen", &[], body).await
    };
    assert_eq!(adjust(3).await.json()["on_hand"], 5);
    place(&service, "k", ORDER).await;
    let hold = Scripted::before(|call, _| (call.kind != CallKind::Reserve).then(failed));
    drain(&service, hold).pass().await.unwrap();
    adjust(-4).await.assert_problem(409, "stock_held");
    assert_eq!(adjust(-3).await.json()["available"], 0);
    for (body, field) in [
        (r#"{"reason":"x"}"#, "/change"),
        (r#"{"change":0,"reason":"x"}"#, "/change"),
        (r#"{"change":1}"#, "/reason"),
        (r#"{"change":"1","reason":"x"}"#, "/change"),
        (r#"{"change":1,"reason":"x","by":"me"}"#, "/by"),
    ] {
        let answer = service.send("POST", "/v1/stock/pen", &[], body).await;
        answer.assert_problem(422, "validation_failed");
        assert!(answer.field("detail").contains(field), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_order_can_be_cancelled_until_its_capture_is_asked_for() {
    let service = Service::new();
    let cancel = async |id: &str| {
        let body = r#"{"reason":"changed my mind"}"#;
        service
            .send("POST", &format!("/v1/orders/{id}/cancel"), &[], body)
            .await
    };
    let id = place(&service, "new", ORDER).await;
    let cancelled = cancel(&id).await;
    assert_eq!(
        (cancelled.status, &*cancelled.field("status")),
        (200, "cancelled")
    );
    cancel(&id).await.assert_problem(409, "illegal_transition");
    let provider = Scripted::before(|call, _| (call.kind == CallKind::Authorise).then(failed));
    let worker = drain(&service, Arc::clone(&provider));
    settle(&service, &worker).await;
    assert_eq!(provider.calls(), Vec::<String>::new(), "it is over");

    let id = place(&service, "under way", ORDER).await;
    worker.pass().await.unwrap();
    assert_eq!(cancel(&id).await.field("status"), "compensating");
    worker.pass().await.unwrap();
    assert_eq!(order(&service, &id).await["status"], "cancelled");
    assert_eq!(provider.calls().last().unwrap(), "void");
    let timeline = service
        .get(&format!("/v1/orders/{id}/timeline"))
        .await
        .json();
    let why = timeline["items"].as_array().unwrap().iter();
    let why: Vec<&Value> = why
        .filter(|it| it["kind"] == "order.cancel_requested.v1")
        .collect();
    let detail = json!({ "actor": "anonymous", "reason": "changed my mind" });
    assert_eq!(why[0]["detail"], detail);

    let id = place(&service, "done", ORDER).await;
    drain(&service, Scripted::willing()).pass().await.unwrap();
    let late = cancel(&id).await;
    late.assert_problem(409, "illegal_transition");
    assert!(late.field("detail").contains("Refund"), "{}", late.body);
    assert_eq!(service.findings().await, []);
}

async fn letters(service: &Service, query: &str) -> Vec<Value> {
    let list = service.get(&format!("/v1/dead-letters{query}")).await;
    list.json()["items"].as_array().unwrap().clone()
}

async fn post(service: &Service, path: &str, body: &str) -> Reply {
    service.send("POST", path, &[], body.to_owned()).await
}

#[tokio::test]
async fn an_order_that_was_given_up_is_brought_back_once() {
    let service = Service::new();
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
    let service = Service::new();
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
        let service = Service::new();
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
async fn nothing_stays_under_way_beyond_its_deadline() {
    for (late, end) in [
        (CallKind::Authorise, "failed"),
        (CallKind::Capture, "needs_review"),
    ] {
        let service = Service::new();
        let id = place(&service, "k", ORDER).await;
        let provider = Scripted::before(move |call, _| {
            (call.kind == late).then_some(Answer::NotTried(60_000))
        });
        let worker = drain(&service, provider);
        worker.pass().await.unwrap();
        assert_eq!(order(&service, &id).await["status"], "processing");
        service.clock.move_by(DEADLINE_MS);
        settle(&service, &worker).await;
        assert_eq!(order(&service, &id).await["status"], end);
        assert_eq!(service.findings().await, []);
    }
}

//! Fulfilment, with providers that do as a script says and a clock that is moved by hand.

use crate::service::{Answer as Reply, HandClock, ORDER, Service};
use async_trait::async_trait;
use domain::fulfil::{Answer, Call, CallKind, Inventory, Refused, Retry, Rules};
use domain::{Clock, Consumer, Lease, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use store::faulty::{Fault, Faulty};
use store::{LeaseClaim, Store, Which};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use worker::drain::RECEIVED_MAX;
use worker::providers::books::Books;
use worker::{Drain, Fulfil, Limits, Provider, Watch};

pub(crate) const LEASE_MS: i64 = 5_000;
/// A lease that a test can wait for.
const BRIEF_MS: i64 = 1_000;
/// A lease that is not kept while a test lasts.
const LONG_MS: i64 = 600_000;
const DEADLINE_MS: i64 = 900_000;

type Script = dyn Fn(&Call, u64) -> Option<Answer> + Send + Sync;

/// A provider with books of its own. The script sees each call and its number, and may answer in
/// its place.
pub(crate) struct Scripted {
    script: Box<Script>,
    after: Box<Script>,
    pub(crate) books: Books,
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

    pub(crate) fn new(
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
    pub(crate) fn calls(&self) -> Vec<String> {
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

pub(crate) fn failed() -> Answer {
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

pub(crate) fn drain_over(
    service: &Service,
    store: Arc<dyn Store>,
    provider: Arc<Scripted>,
) -> Drain<Fulfil> {
    driving(fulfil(service, store, provider), limits())
}

/// A worker on orders.
fn driving(fulfil: Fulfil, limits: Limits) -> Drain<Fulfil> {
    let (store, clock) = (Arc::clone(&fulfil.store), Arc::clone(&fulfil.clock));
    Drain::new(store, clock, Consumer::Fulfil, limits, fulfil)
}

pub(crate) fn fulfil(service: &Service, store: Arc<dyn Store>, provider: Arc<Scripted>) -> Fulfil {
    Fulfil {
        store,
        clock: Arc::clone(&service.app.clock),
        ids: Arc::clone(&service.app.ids),
        random: Box::new(|| 0),
        rules: rules(),
        payments: Arc::clone(&provider) as Arc<dyn Provider>,
        inventory: provider,
        lease_ms: LEASE_MS,
        watch: Watch::default(),
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        batch: 5,
        concurrency: 256,
        lease_ms: LEASE_MS,
        received_max: 5,
    }
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

pub(crate) async fn place(service: &Service, key: &str, body: &str) -> String {
    let key = [("idempotency-key", key)];
    let placed = service
        .send("POST", "/v1/orders", &key, body.to_owned())
        .await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    placed.field("order_id")
}

pub(crate) async fn order(service: &Service, id: &str) -> Value {
    let answer: Reply = service.get(&format!("/v1/orders/{id}")).await;
    answer.json()
}

#[tokio::test]
async fn an_order_is_paid_for_and_completed_and_what_was_answered_stays() {
    let service = Service::new().await;
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
    let service = Service::new().await;
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
    let service = Service::new().await;
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
            let service = Service::new().await;
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
            let service = Service::new().await;
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
        let service = Service::new().await;
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

pub(crate) async fn kinds(service: &Service, id: &str) -> Vec<String> {
    let timeline = service.get(&format!("/v1/orders/{id}/timeline")).await;
    let items = timeline.json()["items"].as_array().unwrap().clone();
    let kind = |item: &Value| item["kind"].as_str().unwrap().replace(".v1", "");
    items.iter().map(kind).collect()
}

#[tokio::test]
async fn an_order_can_be_cancelled_until_its_capture_is_asked_for() {
    let service = Service::new().await;
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

#[tokio::test]
async fn nothing_stays_under_way_beyond_its_deadline() {
    for (late, end) in [
        (CallKind::Authorise, "failed"),
        (CallKind::Capture, "needs_review"),
    ] {
        let service = Service::new().await;
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

/// Leases an order, as somebody would of whom nothing more is heard.
pub(crate) async fn lease(service: &Service, which: Which) -> Option<Lease> {
    let now = service.clock.now();
    let claim = LeaseClaim {
        consumer: Consumer::Fulfil,
        which,
        now,
        until: now.plus_millis(LEASE_MS),
    };
    let leased = service.app.store.lease(claim).await.unwrap();
    leased.entries.into_iter().next()
}

/// When the only order is due: nothing is, this early.
async fn due(store: &dyn Store) -> Timestamp {
    let claim = LeaseClaim {
        consumer: Consumer::Fulfil,
        which: Which::Due(1),
        now: Timestamp::EPOCH,
        until: Timestamp::EPOCH,
    };
    store.lease(claim).await.unwrap().next_due.unwrap()
}

/// A worker whose leases are brief, and whose payments are somebody's of its own.
fn brief(service: &Service, provider: Arc<Scripted>, payments: Arc<dyn Provider>) -> Drain<Fulfil> {
    let mut fulfil = fulfil(service, Arc::clone(&service.app.store), provider);
    fulfil.lease_ms = BRIEF_MS;
    fulfil.payments = payments;
    let limits = Limits {
        lease_ms: BRIEF_MS,
        ..limits()
    };
    driving(fulfil, limits)
}

/// A provider that takes several leases for each call, and looks whether the order is left alone.
struct Slow {
    clock: Arc<HandClock>,
    store: Arc<dyn Store>,
    willing: Arc<Scripted>,
}

#[async_trait]
impl Provider for Slow {
    async fn call(&self, call: &Call) -> Answer {
        for _ in 0..4 {
            let was = due(&*self.store).await;
            self.clock.move_by(BRIEF_MS / 2);
            let is_kept = async {
                while due(&*self.store).await <= was {
                    sleep(Duration::from_millis(1)).await; // a poll, not a guess
                }
            };
            let kept = timeout(Duration::from_secs(10), is_kept).await;
            assert!(kept.is_ok(), "nobody keeps it");
        }
        self.willing.call(call).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_slow_has_the_order_as_long_as_it_works_on_it() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let provider = Scripted::willing();
    let slow = Arc::new(Slow {
        clock: Arc::clone(&service.clock),
        store: Arc::clone(&service.app.store),
        willing: Arc::clone(&provider),
    });
    let worker = brief(&service, Arc::clone(&provider), slow);
    let neighbour = drain(&service, Arc::clone(&provider));
    let slow_one = async { worker.pass().await.unwrap() };
    let looks = async {
        while due(&*service.app.store).await <= service.clock.now() {
            sleep(Duration::from_millis(1)).await; // a poll: the slow one is first
        }
        loop {
            assert_eq!(neighbour.pass().await.unwrap(), 0, "it is somebody's");
            sleep(Duration::from_millis(5)).await; // beside the other, as another process would
        }
    };
    tokio::select! {
        count = slow_one => assert_eq!(count, 1),
        () = looks => {}
    }
    assert_eq!(provider.calls(), ["reserve", "authorise", "capture"]);
    assert_eq!(order(&service, &id).await["status"], "completed");
    assert_eq!(service.findings().await, []);
}

/// A provider whose first call lasts until it is told to go on.
struct Lasting {
    began: Notify,
    go_on: Notify,
    is_first: AtomicBool,
    willing: Arc<Scripted>,
}

#[async_trait]
impl Provider for Lasting {
    async fn call(&self, call: &Call) -> Answer {
        if self.is_first.swap(false, Ordering::Relaxed) {
            self.began.notify_one();
            self.go_on.notified().await;
        }
        self.willing.call(call).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cancelled_while_a_call_lasts_is_undone_at_once_after_it() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let provider = Scripted::willing();
    let lasting = Arc::new(Lasting {
        began: Notify::new(),
        go_on: Notify::new(),
        is_first: AtomicBool::new(true),
        willing: Arc::clone(&provider),
    });
    let worker = brief(&service, Arc::clone(&provider), Arc::clone(&lasting) as _);
    let meanwhile = async {
        lasting.began.notified().await;
        let path = format!("/v1/orders/{id}/cancel");
        let cancelled = service.send("POST", &path, &[], "{}").await;
        assert_eq!(cancelled.field("status"), "compensating");
        // That woke a worker at once; whoever keeps the order puts it off.
        while due(&*service.app.store).await <= service.clock.now() {
            sleep(Duration::from_millis(1)).await; // a poll, not a guess
        }
        lasting.go_on.notify_one();
    };
    let (count, ()) = tokio::join!(worker.pass(), meanwhile);
    assert_eq!(count.unwrap(), 2, "no time has passed");
    assert_eq!(order(&service, &id).await["status"], "cancelled");
    assert_eq!(provider.calls().last().unwrap(), "void");
    assert_eq!(service.findings().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_die_after_they_wrote_something_died_for_no_fault_of_the_order() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let store = Arc::clone(&service.app.store);
    let lease = async || {
        let lease = lease(&service, Which::Due(1)).await.unwrap();
        service.clock.move_by(LEASE_MS);
        lease
    };
    for _ in 1..RECEIVED_MAX {
        lease().await; // and nothing more is heard of whoever has it
    }
    let provider = Scripted::willing();
    // It leases, reads the order and its stock, and writes a step; it stands still before the next.
    let dying = Arc::new(Faulty::new(Arc::clone(&store), Fault::Paused, 4));
    let mut fulfil = fulfil(&service, Arc::clone(&dying) as _, Arc::clone(&provider));
    fulfil.lease_ms = LONG_MS;
    let worker = driving(fulfil, limits());
    tokio::select! {
        _ = worker.pass() => panic!("it makes that many calls"),
        () = dying.paused() => {} // and is dropped
    }
    assert_eq!(order(&service, &id).await["status"], "processing");
    service.clock.move_by(LONG_MS);
    assert_eq!(lease().await.received, 2, "it came once, and now");
    settle(&service, &drain(&service, provider)).await;
    assert_eq!(order(&service, &id).await["status"], "completed");
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn a_store_that_fails_buries_no_order() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let provider = Scripted::willing();
    let store = Arc::clone(&service.app.store);
    let faulty = Arc::new(Faulty::new(store, Fault::Unavailable, u64::MAX));
    let worker = drain_over(
        &service,
        Arc::clone(&faulty) as Arc<dyn Store>,
        Arc::clone(&provider),
    );
    for _ in 0..3 * RECEIVED_MAX {
        faulty.plant(1); // the order is leased, and cannot be read
        assert_eq!(worker.pass().await.unwrap(), 1);
        service.clock.move_by(LEASE_MS);
    }
    assert_eq!(provider.calls(), Vec::<String>::new());
    assert_eq!(worker.pass().await.unwrap(), 1);
    assert_eq!(order(&service, &id).await["status"], "completed");
    assert_eq!(service.findings().await, []);
}

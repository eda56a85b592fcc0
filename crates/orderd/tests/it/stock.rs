//! Stock: held, taken, let go of, and never oversold.

use crate::backend;
use crate::fulfilment::{LEASE_MS, Scripted, drain, failed, kinds, order, place, settle};
use crate::harness::setting;
use crate::service::{ORDER, Service};
use domain::Status;
use domain::fulfil::CallKind;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::OrderQuery;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Nothing came to its end for so long: time has to go on.
const STUCK: Duration = Duration::from_secs(10);
/// How long many buyers may take.
const ROUND_MAX: Duration = Duration::from_mins(5);

pub(crate) async fn set_stock(service: &Service, item_id: &str, on_hand: u64) {
    let body = json!({ "on_hand": on_hand, "reason": "stocktaking" }).to_string();
    let set = service
        .send("PUT", &format!("/v1/stock/{item_id}"), &[], body)
        .await;
    assert_eq!(set.status, 200, "{}", set.body);
}

pub(crate) async fn stock(service: &Service, item_id: &str) -> Value {
    service.get(&format!("/v1/stock/{item_id}")).await.json()
}

#[tokio::test]
async fn stock_is_held_taken_and_never_oversold() {
    let service = Service::new().await;
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
    // An emulator does one thing at a time.
    let (rounds, buyers) = if backend::is_dynamodb() {
        (1, 400)
    } else {
        (2, 1_000)
    };
    let rounds = setting("ORDERD_HARNESS_ROUNDS").unwrap_or(rounds);
    for _ in 0..rounds {
        let service = Service::new().await;
        set_stock(&service, "pen", 100).await;
        let one = ORDER.replace(":2", ":1");
        for buyer in 0..buyers {
            place(&service, &format!("{buyer}"), &one).await;
        }
        let stop = CancellationToken::new();
        let mut signal = service.app.store.signal();
        let drain = drain(&service, Scripted::willing());
        let work = drain.run(stop.clone());
        let watch = async {
            let (begun, mut fewest, mut since) = (Instant::now(), usize::MAX, Instant::now());
            loop {
                let left = left(&service).await;
                if left == 0 {
                    break stop.cancel();
                }
                assert!(begun.elapsed() < ROUND_MAX, "{left} are left");
                if left < fewest {
                    (fewest, since) = (left, Instant::now());
                } else if since.elapsed() > STUCK {
                    // What a busy store did not take is due again in time.
                    service.clock.move_by(LEASE_MS);
                    since = Instant::now();
                }
                let _moved = timeout(Duration::from_millis(20), signal.changed()).await;
            }
        };
        tokio::join!(work, watch);

        let sold = json!({ "item_id": "pen", "on_hand": 0, "reserved": 0, "available": 0 });
        assert_eq!(stock(&service, "pen").await, sold);
        assert_eq!(with_status(&service, "completed").await, 100);
        assert_eq!(with_status(&service, "failed").await, buyers - 100);
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

pub(crate) async fn with_status(service: &Service, status: &str) -> usize {
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
    let service = Service::new().await;
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
async fn first_counts_of_an_item_at_one_moment_are_not_added_up() {
    let service = Service::new().await;
    let count = || set_stock(&service, "pen", 5);
    tokio::join!(count(), count(), count(), count());
    assert_eq!(stock(&service, "pen").await["on_hand"], 5);
    assert_eq!(service.findings().await, []);
}

//! Webhooks: every event that an endpoint wants is told, in the order of each order, signed, again
//! and again until it came through, whatever becomes of the endpoint.

use crate::cli::asked;
use crate::dead_letters::letters;
use crate::fulfilment::{Scripted, drain, place, settle};
use crate::harness::Site;
use crate::service::{DAY_MS, ORDER, Service};
use domain::webhook::target::Reach;
use domain::{Clock, EndpointId};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::Store;
use store::faulty::{Fault, Faulty};
use tokio::net::TcpListener;
use worker::announce::post::{Post, signature};
use worker::{Announcer, Watch};

/// Somebody else's server: it keeps what it is told, and answers as a script says.
struct Receiver {
    url: String,
    told: Arc<Mutex<Vec<Told>>>,
}

/// A message as it came in.
#[derive(Clone, Debug)]
struct Told {
    headers: HeaderMap,
    body: String,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().replace(".v1", "")
    }
}

impl Receiver {
    /// Answers each message, by its number from 0, with a status; 3xx lead to itself.
    async fn start(script: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        Self::reading(move |number, _| script(number)).await
    }

    /// Answers each message, by its number from 0 and by what it says.
    async fn reading(script: impl Fn(usize, &str) -> u16 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let (script, kept) = (Arc::new(script), Arc::clone(&told));
        let home = url.clone();
        let answer = move |request: Request<Incoming>| {
            let (script, kept, home) = (Arc::clone(&script), Arc::clone(&kept), home.clone());
            async move {
                let headers = request.headers().clone();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                let status = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(Told { headers, body });
                    let number = kept.len() - 1;
                    script(number, &kept[number].body)
                };
                let response = Response::builder()
                    .status(status)
                    .header("location", home)
                    .header("retry-after", "7200")
                    .body(Full::new(Bytes::new()));
                Ok::<_, Infallible>(response.unwrap())
            }
        };
        // It ends with the runtime of its test.
        #[expect(
            clippy::disallowed_methods,
            reason = "nothing waits for somebody else's server"
        )]
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let service = service_fn(answer.clone());
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { url, told }
    }

    async fn willing() -> Self {
        Self::start(|_| 204).await
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        self.told().iter().map(Told::kind).collect()
    }
}

async fn send(service: &Service, method: &str, path: &str, body: &Value) -> Value {
    let answer = service.send(method, path, &[], body.to_string()).await;
    assert!(answer.status < 300, "{method} {path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// A webhook that goes to `receiver`, with its secret.
async fn subscribe(service: &Service, receiver: &Receiver, events: &[&str]) -> Value {
    let body = json!({ "url": receiver.url, "events": events });
    send(service, "POST", "/v1/webhooks", &body).await
}

fn path(webhook: &Value, rest: &str) -> String {
    format!(
        "/v1/webhooks/{}{rest}",
        webhook["webhook_id"].as_str().unwrap()
    )
}

async fn shown(service: &Service, webhook: &Value) -> Value {
    service.get(&path(webhook, "")).await.json()
}

async fn log(service: &Service, webhook: &Value) -> Vec<Value> {
    let log = service.get(&path(webhook, "/deliveries?limit=100")).await;
    log.json()["items"].as_array().unwrap().clone()
}

fn announcer(service: &Service, store: Arc<dyn Store>) -> Arc<Announcer> {
    let post = Post::new(Reach::Any, "orderd/test", Duration::from_secs(5));
    Arc::new(Announcer {
        store,
        clock: Arc::clone(&service.app.clock),
        ids: Arc::clone(&service.app.ids),
        random: Box::new(|| 0),
        post,
        render: api::cloud_event,
        topics: None,
        watch: Watch::default(),
    })
}

/// Tells a webhook what is due; how many wakes there were.
async fn tell(service: &Service, webhook: &Value) -> usize {
    let id = EndpointId::parse(webhook["webhook_id"].as_str().unwrap()).unwrap();
    let announcer = announcer(service, Arc::clone(&service.app.store));
    announcer.drain(id).pass().await.unwrap()
}

async fn fulfilled(service: &Service) -> String {
    let id = place(service, "k", ORDER).await;
    settle(service, &drain(service, Scripted::willing())).await;
    id
}

const ALL: [&str; 5] = [
    "order.created",
    "order.processing",
    "payment.authorised",
    "payment.captured",
    "order.completed",
];

#[tokio::test]
async fn an_endpoint_is_told_of_every_event_in_order_and_signed() {
    let service = Service::new().await;
    let receiver = Receiver::willing().await;
    let webhook = subscribe(&service, &receiver, &[]).await;
    let secret = webhook["secret"].as_str().unwrap();
    let key = secret.strip_prefix("whsec_").unwrap();
    assert_eq!(
        shown(&service, &webhook).await["secret"],
        Value::Null,
        "once"
    );

    let id = fulfilled(&service).await;
    tell(&service, &webhook).await;
    assert_eq!(receiver.kinds(), ALL);
    for told in receiver.told() {
        let event = told.json();
        assert_eq!(event["subject"], json!(id));
        assert_eq!(event["id"], told.header("webhook-id"));
        assert_eq!(told.header("content-type"), "application/json");
        assert_eq!(told.header("user-agent"), "orderd/test");
        let time: i64 = told.header("webhook-timestamp").parse().unwrap();
        assert!((service.clock.now().as_millis() / 1_000 - time).abs() < 300);
        let expected = signature(key, told.header("webhook-id"), time, &told.body);
        assert_eq!(Some(told.header("webhook-signature")), expected.as_deref());
    }
    let log = log(&service, &webhook).await;
    assert_eq!(log.len(), 5);
    assert_eq!(
        (&log[0]["status"], &log[0]["kind"]),
        (&json!(204), &json!("order.completed.v1"))
    );
    assert_eq!(tell(&service, &webhook).await, 0, "all is told");
    assert_eq!(service.findings().await, []);
}

#[tokio::test]
async fn what_does_not_come_through_is_tried_again_on_schedule_and_nothing_overtakes_it() {
    let service = Service::new().await;
    // The first event comes through at the fourth try; a redirect is not followed.
    let receiver = Receiver::start(|number| [500, 302, 429, 200][number.min(3)]).await;
    let webhook = subscribe(&service, &receiver, &[]).await;
    fulfilled(&service).await;
    for (wait_ms, tries) in [(0, 1), (4_000, 1), (2_000, 2), (200_000, 2), (100_000, 3)] {
        service.clock.move_by(wait_ms);
        tell(&service, &webhook).await;
        assert_eq!(receiver.told().len(), tries, "after {wait_ms} more ms");
    }
    // It asked for two hours.
    service.clock.move_by(7_000_000);
    tell(&service, &webhook).await;
    assert_eq!(receiver.told().len(), 3);
    service.clock.move_by(300_000);
    tell(&service, &webhook).await;
    let told = receiver.told();
    assert_eq!(receiver.kinds()[3..], ALL);
    assert!(
        told[..4]
            .iter()
            .all(|it| it.header("webhook-id") == told[0].header("webhook-id"))
    );
    let log = log(&service, &webhook).await;
    let tries: Vec<_> = log
        .iter()
        .rev()
        .map(|it| it["number"].as_u64().unwrap())
        .collect();
    assert_eq!(tries, [1, 2, 3, 4, 1, 1, 1, 1]);
    assert_eq!(log.last().unwrap()["error"], "it answered 500");
}

#[tokio::test]
async fn one_that_is_gone_is_told_no_more_until_it_is_enabled_and_then_what_waited() {
    let service = Service::new().await;
    let receiver = Receiver::start(|number| if number == 0 { 410 } else { 200 }).await;
    let webhook = subscribe(&service, &receiver, &[]).await;
    let other = Receiver::willing().await;
    let beside = subscribe(&service, &other, &[]).await;
    fulfilled(&service).await;
    tell(&service, &webhook).await;
    tell(&service, &beside).await;
    assert_eq!(receiver.told().len(), 1);
    assert_eq!(other.kinds(), ALL, "the neighbour is told");
    let disabled = shown(&service, &webhook).await;
    assert_eq!(
        (&disabled["enabled"], &disabled["disabled_reason"]),
        (&json!(false), &json!("gone"))
    );
    let resend = json!({ "event_id": receiver.told()[0].header("webhook-id") });
    let refused = service
        .send("POST", &path(&webhook, "/resend"), &[], resend.to_string())
        .await;
    refused.assert_problem(409, "webhook_not_told");

    send(
        &service,
        "PATCH",
        &path(&webhook, ""),
        &json!({ "enabled": true }),
    )
    .await;
    // Whoever looked meanwhile had the wake for a while.
    service.clock.move_by(60_000);
    tell(&service, &webhook).await;
    assert_eq!(receiver.kinds()[1..], ALL);
}

#[tokio::test]
async fn one_that_takes_nothing_for_days_is_disabled() {
    let service = Service::new().await;
    let receiver = Receiver::start(|_| 500).await;
    let webhook = subscribe(&service, &receiver, &["order.created.v1"]).await;
    place(&service, "k", ORDER).await;
    for tries in 1..=10 {
        tell(&service, &webhook).await;
        assert_eq!(receiver.told().len(), tries);
        service.clock.move_by(DAY_MS);
    }
    assert_eq!(
        shown(&service, &webhook).await["disabled_reason"],
        "failing"
    );
    tell(&service, &webhook).await;
    assert_eq!(receiver.told().len(), 10);
    let letters = letters(&service, "").await;
    assert_eq!(letters, Vec::<Value>::new(), "the order is none the worse");
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_given_up_and_the_others_are_told() {
    let service = Service::new().await;
    let receiver = Receiver::reading(|_, body| {
        let poison = body.contains("cust1") && body.contains("order.created");
        if poison { 500 } else { 200 }
    })
    .await;
    let webhook = subscribe(&service, &receiver, &["order.created.v1"]).await;
    place(&service, "poison", ORDER).await;
    tell(&service, &webhook).await;
    place(&service, "good", &ORDER.replace("cust1", "cust2")).await;
    for _ in 0..12 {
        service.clock.move_by(DAY_MS);
        tell(&service, &webhook).await;
    }
    assert_eq!(
        receiver.told().len(),
        11,
        "ten tries of one, one of the other"
    );
    assert_eq!(shown(&service, &webhook).await["enabled"], json!(true));
    assert_eq!(tell(&service, &webhook).await, 0, "nothing is left");
}

#[tokio::test]
async fn two_secrets_sign_for_a_day_after_a_rotation() {
    let service = Service::new().await;
    let receiver = Receiver::willing().await;
    let webhook = subscribe(&service, &receiver, &["order.created.v1"]).await;
    let rotated = send(&service, "POST", &path(&webhook, "/rotate"), &json!(null)).await;
    assert_ne!(rotated["secret"], webhook["secret"]);
    for (key, signatures) in [("a", 2), ("b", 1)] {
        place(&service, key, ORDER).await;
        tell(&service, &webhook).await;
        let told = receiver.told().pop().unwrap();
        let sent = told.header("webhook-signature").split(' ').count();
        assert_eq!(sent, signatures);
        let time = told.header("webhook-timestamp").parse().unwrap();
        let key = rotated["secret"]
            .as_str()
            .unwrap()
            .strip_prefix("whsec_")
            .unwrap();
        let newest = signature(key, told.header("webhook-id"), time, &told.body).unwrap();
        assert!(told.header("webhook-signature").starts_with(&newest));
        service.clock.move_by(DAY_MS);
    }
}

#[tokio::test]
async fn events_are_told_again_when_somebody_asks_for_one_or_for_all_since_a_time() {
    let service = Service::new().await;
    let receiver = Receiver::willing().await;
    let webhook = subscribe(&service, &receiver, &[]).await;
    let before = service.clock.now().to_string();
    fulfilled(&service).await;
    tell(&service, &webhook).await;
    let captured = receiver.told()[3].clone();
    assert_eq!(captured.kind(), "payment.captured");

    let event = json!({ "event_id": captured.header("webhook-id") });
    send(&service, "POST", &path(&webhook, "/resend"), &event).await;
    tell(&service, &webhook).await;
    let again = receiver.told().pop().unwrap();
    assert_eq!(receiver.told().len(), 6);
    assert_eq!(again.body, captured.body);

    let since = json!({ "since": before });
    let recovered = send(&service, "POST", &path(&webhook, "/recover"), &since).await;
    assert_eq!(
        recovered,
        json!({ "events": 5, "orders": 1, "next_since": null })
    );
    tell(&service, &webhook).await;
    assert_eq!(receiver.kinds()[6..], ALL);
    let since = json!({ "since": before, "until": before });
    let nothing = send(&service, "POST", &path(&webhook, "/recover"), &since).await;
    assert_eq!(nothing["events"], 0);

    let nowhere = json!({ "event_id": "01926b3a-0000-7000-8000-000000000000" });
    let refused = service
        .send("POST", &path(&webhook, "/resend"), &[], nowhere.to_string())
        .await;
    refused.assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_fault_at_every_call_of_the_store_keeps_no_event_from_being_told() {
    for fault in [Fault::Unavailable, Fault::AnswerLost] {
        for fail_at in 0.. {
            let service = Service::new().await;
            let receiver = Receiver::willing().await;
            let webhook = subscribe(&service, &receiver, &[]).await;
            fulfilled(&service).await;
            let faulty = Arc::new(Faulty::new(Arc::clone(&service.app.store), fault, fail_at));
            let id = EndpointId::parse(webhook["webhook_id"].as_str().unwrap()).unwrap();
            let drain = announcer(&service, Arc::clone(&faulty) as _).drain(id);
            for _ in 0..3 {
                drop(drain.pass().await);
                service.clock.move_by(60_000);
            }
            // At least once each, and the first of each in the order of the events.
            let mut kinds = receiver.kinds();
            kinds.dedup();
            assert_eq!(kinds, ALL, "{fault:?} {fail_at}");
            if faulty.calls() <= fail_at {
                assert!(fail_at > 8, "faults were put at {fail_at} calls");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_webhook_that_is_deleted_is_forgotten() {
    let service = Service::new().await;
    let receiver = Receiver::willing().await;
    let webhook = subscribe(&service, &receiver, &[]).await;
    fulfilled(&service).await;
    send(&service, "DELETE", &path(&webhook, ""), &json!(null)).await;
    assert_eq!(tell(&service, &webhook).await, 0);
    let gone = service.get(&path(&webhook, "")).await;
    gone.assert_problem(404, "not_found");
    assert_eq!(service.get("/v1/webhooks").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused() {
    let service = Service::with(|settings| settings.webhook_reach = Reach::Public).await;
    for wrong in [
        json!({}),
        json!({ "url": 1 }),
        json!({ "url": "http://example.org/" }),
        json!({ "url": "https://169.254.169.254/latest/meta-data" }),
        json!({ "url": "https://example.org/", "events": ["order.try_failed.v1"] }),
        json!({ "url": "https://example.org/", "events": "order.created.v1" }),
        json!({ "url": "https://example.org/", "secret": "mine" }),
    ] {
        let refused = service
            .send("POST", "/v1/webhooks", &[], wrong.to_string())
            .await;
        refused.assert_problem(422, "validation_failed");
    }
    let taken = send(
        &service,
        "POST",
        "/v1/webhooks",
        &json!({ "url": "https://example.org/", "events": ["order.completed.v1"] }),
    )
    .await;
    assert_eq!(taken["events"], json!(["order.completed.v1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_tells_who_subscribes_from_the_command_line() {
    let mut site = Site::new(None);
    let settings = [
        ("ORDERD_WEBHOOKS_ALLOW_PRIVATE", "true".into()),
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.0".into()),
    ];
    site.environment.extend(settings);
    let server = site.start().unwrap();
    let receiver = Receiver::willing().await;
    let create = ["webhook", "create", &receiver.url, "--json"];
    let webhook: Value = serde_json::from_str(&asked(&site, &server, &create)).unwrap();
    let id = webhook["webhook_id"].as_str().unwrap();
    let order = ["order", "create", "--customer", "ada", "--line", "pen:1"];
    asked(&site, &server, &order);

    let begun = Instant::now();
    // What was received is kept a moment after that.
    let mut log = String::new();
    while log.lines().count() < ALL.len() && begun.elapsed() < Duration::from_mins(1) {
        tokio::time::sleep(Duration::from_millis(20)).await; // a poll, not a guess
        log = asked(&site, &server, &["webhook", "deliveries", id]);
    }
    assert_eq!(receiver.kinds(), ALL);
    let list = asked(&site, &server, &["webhook", "list"]);
    let list = list.trim_end();
    assert_eq!(list, format!("{id}\tenabled\tall events\t{}", receiver.url));
    assert_eq!(log.lines().count(), ALL.len(), "{log}");
    assert!(log.lines().all(|line| line.ends_with("\t204")), "{log}");
    let event = receiver.told()[0].header("webhook-id").to_owned();
    let again = asked(&site, &server, &["webhook", "resend", id, &event]);
    assert_eq!(again, "events told again: 1, of orders: 1\n");
    let disabled = asked(&site, &server, &["webhook", "disable", id]);
    assert!(disabled.contains("disabled (by_hand)"), "{disabled}");
    asked(&site, &server, &["webhook", "delete", id]);
    assert_eq!(asked(&site, &server, &["webhook", "list"]), "");
    site.verify().unwrap();
}

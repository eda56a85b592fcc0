//! Traces: one for an order's whole life, kept with it over retries and restarts, handed on to whoever
//! is asked or told, and nobody waits for those who collect them.

use crate::fulfilment::{Scripted, drain, settle};
use crate::harness::{Server, Site};
use crate::load::{Answer, Client};
use crate::service::{ORDER, Service};
use domain::trace::Trace;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PATIENCE: Duration = Duration::from_secs(30);

/// Others: a payment service, a webhook and a collector of spans, at one address.
struct Others {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Whether the payment service is away.
    away: Arc<AtomicBool>,
    /// Whether the collector answers nothing.
    hangs: Arc<AtomicBool>,
}

/// A request to one of them.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn traceparent(&self) -> Option<Trace> {
        Trace::parse(self.headers.get("traceparent")?.to_str().ok()?)
    }
}

impl Others {
    fn start() -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let [away, hangs] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (kept, is_away, does_hang) = (asked.clone(), away.clone(), hangs.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                let local = tokio::task::LocalSet::new();
                let answer = move |request| {
                    answered(request, kept.clone(), is_away.clone(), does_hang.clone())
                };
                local.run_until(accept(listener, answer)).await;
            });
        });
        Self {
            address: receiver.recv().unwrap(),
            asked,
            away,
            hangs,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests whose path begins so.
    fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        let asked = asked.iter().filter(|it| it.path.starts_with(path));
        asked.cloned().collect()
    }

    /// What the collector got, with the name of the service.
    fn spans(&self) -> Vec<(String, Span)> {
        let mut spans = Vec::new();
        for asked in self.asked("/v1/traces") {
            let request = ExportTraceServiceRequest::decode(asked.body).unwrap();
            for of_resource in request.resource_spans {
                let attributes = of_resource.resource.unwrap().attributes;
                let name = attributes.iter().find(|it| it.key == "service.name");
                let name = match name.unwrap().value.clone().unwrap().value {
                    Some(Said::StringValue(name)) => name,
                    other => panic!("{other:?}"),
                };
                let scopes = of_resource.scope_spans.into_iter();
                spans.extend(scopes.flat_map(|it| it.spans).map(|it| (name.clone(), it)));
            }
        }
        spans
    }

    /// Waits until something is the case.
    fn wait(&self, site: &Site, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", site.last_words());
            thread::sleep(Duration::from_millis(10)); // a poll, not a guess
        }
    }
}

async fn accept<F, A>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + 'static,
    A: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + 'static,
{
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let service = service_fn(answer.clone());
        let server = hyper::server::conn::http1::Builder::new();
        tokio::task::spawn_local(server.serve_connection(TokioIo::new(socket), service));
    }
}

async fn answered(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Asked>>>,
    away: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let body = body.collect().await.unwrap().to_bytes();
    kept.lock().unwrap().push(Asked {
        path: path.clone(),
        headers: head.headers,
        body,
    });
    if path.starts_with("/v1/traces") && hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let is_away = path.starts_with("/pay") && away.load(Ordering::Relaxed);
    let status = if is_away { 503 } else { 200 };
    let response = Response::builder().status(status);
    Ok(response.body(Full::new(Bytes::new())).unwrap())
}

/// A place whose servers ask and tell those others, and send their spans there.
fn site(others: &Others, traced: bool) -> Site {
    let mut site = Site::new(None);
    let mut set = |name, value: String| site.environment.push((name, value.into()));
    set("PAYMENT_API_URL", others.url("/pay"));
    set("ORDERD_WEBHOOKS_ALLOW_PRIVATE", "true".to_owned());
    set("ORDERD_FULFILMENT_RETRY_BASE", "50ms".to_owned());
    set("ORDERD_FULFILMENT_RETRY_MAX", "100ms".to_owned());
    set("ORDERD_FULFILMENT_TRIES", "100".to_owned());
    if traced {
        set("OTEL_EXPORTER_OTLP_ENDPOINT", others.url(""));
        set("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=t1".to_owned());
        set("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned());
    }
    site
}

fn post(server: &Server, path: &str, headers: &str, body: &str) -> Answer {
    let mut client = Client::connect(server.address).unwrap();
    let length = body.len();
    let answer = client.send(&format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    ));
    answer.unwrap()
}

/// No two orders of these tests have one key.
static KEYS: AtomicU64 = AtomicU64::new(0);

/// Places an order in a trace; the answer.
fn place(server: &Server) -> Answer {
    let key = KEYS.fetch_add(1, Ordering::Relaxed);
    let headers = format!("traceparent: {PARENT}\r\nidempotency-key: k{key}\r\n");
    let placed = post(server, "/v1/orders", &headers, ORDER);
    assert_eq!(placed.status, 201);
    placed
}

fn subscribe(server: &Server, others: &Others) {
    let body = json!({ "url": others.url("/hook"), "events": ["order.completed.v1"] });
    let made = post(server, "/v1/webhooks", "", &body.to_string());
    assert_eq!(made.status, 201);
}

/// The id of a span, or of a trace.
fn id(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |id, byte| id << 8 | u128::from(*byte))
}

/// How many spans of this name the collector has.
fn count(others: &Others, name: &str) -> usize {
    let spans = others.spans();
    spans.iter().filter(|(_, span)| span.name == name).count()
}

/// An order that is placed while nobody takes its payment, and completed after a crash; the place that
/// its answer was given, and the spans of its trace.
fn lived(others: &Others) -> (Trace, Vec<Span>) {
    let site = site(others, true);
    others.away.store(true, Ordering::Relaxed);
    let server = site.start().unwrap();
    subscribe(&server, others);
    let placed = place(&server);
    let given = Trace::parse(placed.header("traceparent").unwrap()).unwrap();
    let order: Value = serde_json::from_slice(&placed.body).unwrap();
    assert!(order.get("trace").is_none(), "no client is shown it");
    others.wait(&site, "the request and two tries are recorded", |others| {
        let tries = count(others, "saga payment.authorise");
        count(others, "POST /v1/orders") > 0 && count(others, "fulfil") > 1 && tries > 1
    });
    server.kill();

    others.away.store(false, Ordering::Relaxed);
    let server = site.start().unwrap();
    others.wait(&site, "the webhook is told", |others| {
        count(others, "webhook order.completed.v1") > 0
    });
    assert!(server.stop().1);
    let spans = others.spans().into_iter();
    let spans = spans.inspect(|(service, _)| assert_eq!(service, "orderd"));
    let spans = spans.map(|(_, span)| span);
    let of_its_trace = spans.filter(|span| id(&span.trace_id) == given.trace_id());
    (given, of_its_trace.collect())
}

#[test]
fn one_trace_shows_an_order_from_its_request_over_retries_and_a_crash_to_its_webhook() {
    let others = Others::start();
    let (given, spans) = lived(&others);
    let parent = Trace::parse(PARENT).unwrap();
    assert_eq!(given.trace_id(), parent.trace_id());
    let of = |name: &str| -> Vec<&Span> { spans.iter().filter(|it| it.name == name).collect() };

    let request = of("POST /v1/orders")[0];
    assert_eq!(id(&request.parent_span_id), parent.span_id().into());
    assert_eq!(id(&request.span_id), given.span_id().into());
    let works = of("fulfil");
    assert!(works.len() > 2, "before the crash and after it");
    assert!(works.iter().all(|it| it.parent_span_id == request.span_id));
    for name in ["inventory.reserve", "payment.authorise", "payment.capture"] {
        let calls = of(&format!("saga {name}"));
        assert!(!calls.is_empty(), "{name}");
        let is_part = |call: &&&Span| works.iter().any(|it| it.span_id == call.parent_span_id);
        // The crash may take with it what the last try before it was a part of.
        let lost_max = usize::from(name == "payment.authorise");
        let lost = calls.len() - calls.iter().filter(is_part).count();
        assert!(lost <= lost_max, "{name}: {lost}");
    }

    let tries = of("saga payment.authorise");
    let number = |span: &&Span| {
        let said = span.attributes.iter().find(|it| it.key == "try").unwrap();
        said.value.clone().unwrap().value
    };
    let second = Some(Said::IntValue(2));
    assert!(tries.iter().any(|it| number(it) == second), "{tries:?}");
    let has_failed = |it: &&&Span| it.status.as_ref().is_some_and(|it| it.code == 2);
    let failed = tries.iter().filter(has_failed).count();
    assert_eq!(failed, tries.len() - 1, "all but the last failed");
}

#[test]
fn whoever_is_asked_or_told_gets_the_place_of_the_very_try() {
    let others = Others::start();
    let (given, spans) = lived(&others);
    let is_recorded = |name: &str, asked: &Asked| {
        let place = asked.traceparent().unwrap();
        assert_eq!(place.trace_id(), given.trace_id());
        let is_it = |span: &&Span| id(&span.span_id) == place.span_id().into();
        spans
            .iter()
            .filter(|it| it.name == name)
            .any(|it| is_it(&it))
    };
    let authorised = others.asked("/pay/authorise");
    assert!(authorised.len() > 1);
    let last = authorised.last().unwrap();
    assert!(is_recorded("saga payment.authorise", last));
    let hook = &others.asked("/hook")[0];
    assert!(is_recorded("webhook order.completed.v1", hook));
    let event: Value = serde_json::from_slice(&hook.body).unwrap();
    assert_eq!(
        event["traceparent"],
        given.to_string(),
        "the same in every try"
    );
    let collected = others.asked("/v1/traces");
    assert!(collected.iter().all(|it| it.headers["x-tenant"] == "t1"));
}

#[test]
fn what_others_trace_is_handed_on_where_nothing_is_traced_here() {
    let others = Others::start();
    let site = site(&others, false);
    let server = site.start().unwrap();
    subscribe(&server, &others);
    assert_eq!(place(&server).header("traceparent"), Some(PARENT));
    others.wait(&site, "the webhook is told", |others| {
        !others.asked("/hook").is_empty()
    });
    for asked in others.asked("/pay").iter().chain(&others.asked("/hook")) {
        assert_eq!(asked.headers["traceparent"], PARENT, "{}", asked.path);
    }
    assert_eq!(others.asked("/v1/traces").len(), 0);
    server.kill();
}

#[test]
fn dev_is_traced_from_its_first_order_on() {
    let others = Others::start();
    let site = site(&others, true);
    let mut dev = site.command("dev");
    dev.args(["--listen", "127.0.0.1:0", "--orders", "1", "--rate", "0"]);
    dev.envs(site.environment.iter().map(|(name, value)| (name, value)));
    let mut dev = dev.stderr(Stdio::piped()).spawn().unwrap();
    others.wait(&site, "the demo order is recorded", |others| {
        count(others, "POST /v1/orders/batch") > 0 && count(others, "fulfil") > 0
    });
    dev.kill().unwrap();
    let said = String::from_utf8(dev.wait_with_output().unwrap().stderr).unwrap();
    let quiet = said.split("demo orders are there").next().unwrap();
    assert!(!quiet.contains("is completed"), "no line for one: {said}");
}

#[test]
fn a_collector_that_hangs_keeps_nobody_from_anything() {
    let others = Others::start();
    others.hangs.store(true, Ordering::Relaxed);
    let site = site(&others, true);
    let server = site.start().unwrap();
    let begun = Instant::now();
    for _ in 0..200 {
        place(&server);
    }
    assert!(begun.elapsed() < 4 * PATIENCE);
    others.wait(&site, "spans are sent", |others| {
        !others.asked("/v1/traces").is_empty()
    });
    let (took, ended_well) = server.stop();
    assert!(ended_well && took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn a_trace_is_in_the_answer_and_in_problems_and_what_is_malformed_is_not() {
    let service = Service::new().await;
    let traced = [("traceparent", PARENT)];
    let missing = service.send("GET", "/v1/orders/x", &traced, "").await;
    assert_eq!(missing.field("trace_id"), TRACE_ID);
    assert_eq!(missing.header("traceparent"), Some(PARENT));
    for malformed in ["", "00-x", &PARENT.to_uppercase(), &format!("{PARENT}-x")] {
        let answer = service
            .send("GET", "/v1/orders/x", &[("traceparent", malformed)], "")
            .await;
        assert_eq!(answer.header("traceparent"), None, "{malformed}");
        assert_eq!(answer.json().get("trace_id"), None, "{malformed}");
    }
}

#[tokio::test]
async fn every_call_and_every_event_of_an_order_belongs_to_its_trace() {
    let service = Service::new().await;
    let calls: Arc<Mutex<Vec<Option<Trace>>>> = Arc::default();
    let kept = Arc::clone(&calls);
    let provider = Scripted::before(move |call, _| {
        kept.lock().unwrap().push(call.trace);
        None
    });
    let traced = [("traceparent", PARENT), ("idempotency-key", "traced")];
    let placed = service.send("POST", "/v1/orders", &traced, ORDER).await;
    let untraced = service.place("k", ORDER).await;
    settle(&service, &drain(&service, provider)).await;

    let calls = calls.lock().unwrap().clone();
    let own = calls
        .iter()
        .filter(|it| **it == Trace::parse(PARENT))
        .count();
    let none = calls.iter().filter(|it| it.is_none()).count();
    assert!(
        own > 2 && own == none && own + none == calls.len(),
        "{calls:?}"
    );
    for (answer, trace) in [(placed, Trace::parse(PARENT)), (untraced, None)] {
        let id = answer.field("order_id");
        let events = service
            .app
            .store
            .events(domain::OrderId::parse(&id).unwrap())
            .await;
        for event in events.unwrap() {
            assert_eq!(event.traceparent, trace, "{event:?}");
        }
    }
}

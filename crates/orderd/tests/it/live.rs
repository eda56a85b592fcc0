//! What happens, as it happens: the streams of events and of the dashboard, and orders that are waited
//! for.

use crate::fulfilment::{Scripted, drain, order, place, settle};
use crate::service::{Answer, ORDER, Service};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt as _;

/// Longer than anything here takes; what takes as long failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream of events as a client reads it.
struct Stream {
    body: Body,
    text: String,
}

/// An event of a stream.
#[derive(Debug)]
struct Told {
    id: String,
    name: String,
    data: Value,
}

impl Stream {
    async fn open(service: &Service, path: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(path).header("host", "orderd");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = service.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name| response.headers()[name].to_str().unwrap();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-accel-buffering"), "no");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = frame.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim_start().to_owned()
                };
                if frame.contains("data:") {
                    return Some(Told {
                        id: field("id:"),
                        name: field("event:"),
                        data: serde_json::from_str(&field("data:")).unwrap(),
                    });
                }
                continue;
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.unwrap()?;
            let data = frame.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            names.push(self.next().await.unwrap().name);
        }
        names
    }
}

#[tokio::test]
async fn every_public_event_is_told_as_it_happens() {
    let service = Service::new().await;
    let mut stream = Stream::open(&service, "/v1/events", None).await;
    let id = place(&service, "k", ORDER).await;
    let placed = stream.next().await.unwrap();
    assert_eq!(placed.name, "order.created.v1");
    assert_eq!(placed.data["id"], json!(placed.id));
    assert_eq!(placed.data["type"], "order.created.v1");
    assert_eq!(placed.data["subject"], json!(id));
    assert_eq!(placed.data["sequence"], "0000000001");
    let shown = order(&service, &id).await;
    assert_eq!(placed.data["data"]["order"], shown, "as it was placed");

    settle(&service, &drain(&service, Scripted::willing())).await;
    assert_eq!(
        stream.names(4).await,
        [
            "order.processing.v1",
            "payment.authorised.v1",
            "payment.captured.v1",
            "order.completed.v1"
        ]
    );
}

#[tokio::test]
async fn a_stream_is_resumed_without_a_gap_and_tells_the_same_as_before() {
    let service = Service::new().await;
    let worker = drain(&service, Scripted::willing());
    let mut stream = Stream::open(&service, "/v1/events", None).await;
    place(&service, "a", ORDER).await;
    let first = stream.next().await.unwrap();
    drop(stream);
    settle(&service, &worker).await;
    place(&service, "b", ORDER).await;

    let mut resumed = Stream::open(&service, "/v1/events", Some(&first.id)).await;
    let mut told = Vec::new();
    while told.len() < 6 {
        told.push(resumed.next().await.unwrap());
    }
    // And goes on with what happens now.
    settle(&service, &worker).await;
    while told.len() < 10 {
        told.push(resumed.next().await.unwrap());
    }
    let again = told.iter().find(|told| told.id == first.id).unwrap();
    assert_eq!(again.data, first.data);
    let ids: HashSet<&str> = told.iter().map(|told| &*told.id).collect();
    assert_eq!(ids.len(), 10, "{told:?}");
}

#[tokio::test]
async fn a_stream_may_be_about_one_order() {
    let service = Service::new().await;
    let id = place(&service, "a", ORDER).await;
    let path = format!("/v1/events?order_id={id}");
    let mut stream = Stream::open(&service, &path, None).await;
    place(&service, "b", ORDER).await;
    settle(&service, &drain(&service, Scripted::willing())).await;
    for _ in 0..4 {
        let told = stream.next().await.unwrap();
        assert_eq!(told.data["subject"], json!(id));
    }
    for (path, last) in [
        ("/v1/events?order_id=x", ""),
        ("/v1/events?order=x", ""),
        ("/v1/events", "x"),
    ] {
        let headers = [("last-event-id", last)];
        let headers = if last.is_empty() { &[][..] } else { &headers };
        let refused = service.send("GET", path, headers, "").await;
        refused.assert_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_stream_ends_with_a_word_when_the_server_stops_and_without_one_after_a_reset() {
    let service = Service::new().await;
    let mut stream = Stream::open(&service, "/v1/events", None).await;
    service.app.store.reset().await.unwrap();
    assert!(stream.next().await.is_none(), "it has to be read anew");

    let mut stream = Stream::open(&service, "/v1/events", None).await;
    service.app.stopping.cancel();
    assert_eq!(stream.next().await.unwrap().name, "bye");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_page_is_told_to_look_again_and_from_then_on_which_orders_moved() {
    let service = Service::new().await;
    let missed = place(&service, "a", ORDER).await;
    let mut stream = Stream::open(&service, "/ui/live", None).await;
    let first = stream.next().await.unwrap();
    assert_eq!(
        (&*first.name, first.data),
        ("tick", json!({ "orders": null }))
    );
    let id = place(&service, "b", ORDER).await;
    for _ in 0..PATIENCE.as_secs() {
        let tick = stream.next().await.unwrap();
        if tick.data != json!({ "orders": [] }) {
            assert_eq!(tick.data, json!({ "orders": [id] }), "not {missed}");
            return;
        }
    }
    panic!("{id} was not told of");
}

async fn wait_for(service: &Service, id: &str, version: u32, wait: &str) -> Answer {
    let etag = format!("\"{version}\"");
    let headers = [("if-none-match", &*etag), ("prefer", wait)];
    let path = format!("/v1/orders/{id}");
    service.send("GET", &path, &headers, "").await
}

#[tokio::test]
async fn an_order_is_shown_as_soon_as_it_is_another() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let worker = drain(&service, Scripted::willing());
    let (shown, _) = tokio::join!(
        timeout(
            PATIENCE,
            wait_for(&service, &id, 1, "respond-async, wait=30")
        ),
        worker.pass()
    );
    let shown = shown.unwrap();
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("preference-applied"), Some("wait=30"));
    assert!(shown.json()["version"].as_u64().unwrap() > 1);

    let at_once = wait_for(&service, &id, 1, "wait=30").await;
    assert_eq!(
        (at_once.status, at_once.json()["version"].as_u64()),
        (200, Some(4))
    );
}

#[tokio::test]
async fn whoever_waits_in_vain_is_told_that_nothing_moved() {
    let service = Service::new().await;
    let id = place(&service, "k", ORDER).await;
    let unmoved = wait_for(&service, &id, 1, "wait=0").await;
    assert_eq!((unmoved.status, &*unmoved.body), (304, ""));
    assert_eq!(unmoved.header("preference-applied"), Some("wait=0"));
    for no_wish in ["wait", "wait=x", "wait=-1", "later"] {
        let answer = wait_for(&service, &id, 1, no_wish).await;
        assert_eq!(answer.status, 304, "{no_wish}");
        assert_eq!(answer.header("preference-applied"), None, "{no_wish}");
    }
    let missing = "01926b3a-0000-7000-8000-000000000000";
    let missing = wait_for(&service, missing, 1, "wait=30").await;
    missing.assert_problem(404, "not_found");
    // A server that stops keeps nobody waiting.
    service.app.stopping.cancel();
    let stopping = timeout(PATIENCE, wait_for(&service, &id, 1, "wait=30")).await;
    assert_eq!(stopping.unwrap().status, 304);
}

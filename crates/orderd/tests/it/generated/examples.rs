//! The examples of the document: each is sent, and what came back is kept beside it.

use super::same;
use crate::documented::{DOCUMENT, operations};
use crate::fulfilment::{Scripted, drain, failed, settle};
use crate::service::{Answer as Reply, Service};
use api::Owner;
use axum::body::Body;
use axum::http::Request;
use domain::fulfil::{Answer, Call, CallKind, Refused};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use worker::{Drain, Fulfil};

const ANSWERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../api/src/openapi/answers.json"
);
/// Documents of their own, too long to be examples of one.
const LONG: [&str; 2] = ["show_asyncapi", "show_openapi"];

/// What the provider is up to.
const WILLING: u8 = 0;
const DECLINING: u8 = 1;
const STUCK: u8 = 2;

/// A service that is sent every example, and what came back.
struct Walk {
    service: Service,
    mood: Arc<AtomicU8>,
    worker: Drain<Fulfil>,
    sent: BTreeSet<(String, String)>,
    answers: Map<String, Value>,
}

impl Walk {
    async fn new() -> Self {
        let service = Service::new().await;
        let mood = Arc::new(AtomicU8::new(WILLING));
        let seen = Arc::clone(&mood);
        let before = move |call: &Call, _| match (seen.load(Ordering::Relaxed), call.kind) {
            (DECLINING, CallKind::Authorise) => {
                Some(Answer::Refused(Refused::Declined, "no money".into()))
            }
            (STUCK, CallKind::Void) => Some(failed()),
            _ => None,
        };
        let seen = Arc::clone(&mood);
        let after = move |call: &Call, _| {
            let lost = seen.load(Ordering::Relaxed) == STUCK && call.kind == CallKind::Authorise;
            lost.then(failed)
        };
        let worker = drain(&service, Scripted::new(before, after));
        Self {
            service,
            mood,
            worker,
            sent: BTreeSet::new(),
            answers: Map::new(),
        }
    }

    /// Sends an example of an operation, or none.
    async fn send(&mut self, id: &str, path: &[(&str, &str)], example: &str) -> Reply {
        let body = (!example.is_empty()).then(|| example_of(id, example));
        self.send_body(id, path, example, body).await
    }

    async fn send_body(
        &mut self,
        id: &str,
        path: &[(&str, &str)],
        example: &str,
        body: Option<Value>,
    ) -> Reply {
        let (template, method, operation) = operations()
            .find(|(_, _, it)| it["operationId"] == id)
            .unwrap();
        let uri = path.iter().fold(template.to_owned(), |uri, (name, value)| {
            uri.replace(&format!("{{{name}}}"), value)
        });
        let key = format!("example-{}", self.sent.len());
        let request = Request::builder()
            .method(&*method.to_uppercase())
            .uri(&uri)
            .header("host", "orderd")
            .header("idempotency-key", key)
            .header("x-request-id", "01989a2c-6b1f-7c3e-8d4a-5f6071829304")
            .header("content-type", "application/json")
            .header("accept", "application/json")
            // Older than all that happens here.
            .header("last-event-id", "01989a2c-6b1f-7c3e-8d4a-5f6071829304")
            .extension(Owner);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let reply = self.service.send_as_is(request.body(body).unwrap()).await;
        assert!(reply.status < 300, "{id} {example}: {}", reply.body);
        assert!(operation["responses"][reply.status.to_string()].is_object());
        self.sent.insert((id.to_owned(), example.to_owned()));
        let example = match reply.header("content-type") {
            Some("application/json") => Some(masked(id, reply.json())),
            Some(sort) if sort.starts_with("text/") => excerpt(id, &reply.body),
            _ => None,
        };
        if let Some(example) = example.filter(|_| !LONG.contains(&id)) {
            let answers = self.answers.entry(id).or_insert(json!({}));
            let status = reply.status.to_string();
            if answers.get(&status).is_none() {
                answers[status] = example;
            }
        }
        reply
    }

    /// Places an order and has the provider do with it what it is up to.
    async fn settled(&mut self, mood: u8) -> String {
        self.mood.store(mood, Ordering::Relaxed);
        let placed = self
            .send("place_order", &[], "by items of the catalogue")
            .await;
        settle(&self.service, &self.worker).await;
        self.mood.store(WILLING, Ordering::Relaxed);
        placed.field("order_id")
    }

    async fn first_letter(&mut self) -> String {
        let letters = self.send("list_dead_letters", &[], "").await.json();
        letters["items"][0]["letter_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// The body of an example.
fn example_of(id: &str, name: &str) -> Value {
    let (.., operation) = operations()
        .find(|(_, _, it)| it["operationId"] == id)
        .unwrap();
    let example = &operation["requestBody"]["content"]["application/json"]["examples"][name];
    example["value"].clone()
}

/// What is another in every run, as one that will do for all.
fn masked(id: &str, mut answer: Value) -> Value {
    // One sort of problem shows what the others look like.
    if id == "list_problems" {
        answer["items"].as_array_mut().unwrap().truncate(1);
    }
    for (name, mask) in [
        ("token", "ord_Zm9yIGV4YW1wbGUgb25seSwgbm9ib2R5IGhhcyB0aGlz"),
        (
            "secret",
            "whsec_Zm9yIGV4YW1wbGUgb25seSwgbm9ib2R5IGhhcyB0aGlz",
        ),
    ] {
        if answer.get(name).is_some_and(Value::is_string) {
            answer[name] = mask.into();
        }
    }
    answer
}

/// As much of a text as shows what it looks like.
fn excerpt(id: &str, text: &str) -> Option<Value> {
    let part: String = match id {
        "show_liveness" | "show_readiness" => text.to_owned(),
        "show_metrics" => {
            let of_one = |line: &&str| line.contains("orderd_orders_created_total");
            let lines = text.split_inclusive('\n').filter(of_one);
            lines.collect()
        }
        "stream_events" => {
            let frames = text.split_inclusive("\n\n");
            let mut told = frames.filter(|frame| frame.contains("data: {"));
            told.next()?.to_owned()
        }
        _ => return None,
    };
    assert!(!part.is_empty(), "{id}: {text}");
    Some(part.into())
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let mut walk = Walk::new().await;
    catalogue(&mut walk).await;
    orders(&mut walk).await;
    letters(&mut walk).await;
    older_systems(&mut walk).await;
    webhooks(&mut walk).await;
    operators(&mut walk).await;

    for (_, _, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        let examples = &operation["requestBody"]["content"]["application/json"]["examples"];
        assert_eq!(
            operation["requestBody"].is_object(),
            examples.is_object(),
            "an example of {id}"
        );
        for name in examples.as_object().into_iter().flatten().map(|it| it.0) {
            let sent = walk.sent.contains(&(id.to_owned(), name.clone()));
            assert!(sent, "{id}: {name} is not sent");
        }
    }
    assert!(DOCUMENT["paths"].as_object().unwrap().len() > 40);
    same(ANSWERS, &format!("{:#}\n", Value::Object(walk.answers)));
}

async fn catalogue(walk: &mut Walk) {
    let pen = [("product_id", "pen")];
    walk.send("create_product", &[], "counted").await;
    walk.send("list_products", &[], "").await;
    walk.send("show_product", &pen, "").await;
    walk.send("replace_product", &pen, "dearer").await;
    let pen = [("item_id", "pen")];
    walk.send("adjust_stock", &pen, "delivered").await;
    walk.send("set_stock", &pen, "counted").await;
    walk.send("show_stock", &pen, "").await;
}

async fn orders(walk: &mut Walk) {
    let id = walk.settled(WILLING).await;
    let order = [("order_id", &*id)];
    walk.send("place_order", &[], "in free text, recorded only")
        .await;
    walk.send("place_orders", &[], "two orders").await;
    settle(&walk.service, &walk.worker).await;
    walk.send("show_order", &order, "").await;
    walk.send("list_orders", &[], "").await;
    walk.send("show_order_timeline", &order, "").await;
    walk.send("show_idempotency_key", &[("key", "batch-1")], "")
        .await;

    let refund = walk.send("request_refund", &order, "a part").await;
    settle(&walk.service, &walk.worker).await;
    let refund = refund.field("refund_id");
    let refund = [order[0], ("refund_id", &*refund)];
    walk.send("show_refund", &refund, "").await;
    walk.send("request_refund", &order, "all that is left")
        .await;
    settle(&walk.service, &walk.worker).await;
    walk.send("list_refunds", &order, "").await;

    let body = example_of("place_order", "by items of the catalogue");
    let placed = walk.send_body("place_order", &[], "", Some(body)).await;
    let id = placed.field("order_id");
    walk.send("note_order", &[("order_id", &id)], "for the next one")
        .await;
    walk.send("cancel_order", &[("order_id", &id)], "with a reason")
        .await;
    settle(&walk.service, &walk.worker).await;
}

async fn letters(walk: &mut Walk) {
    walk.settled(DECLINING).await;
    let letter = walk.first_letter().await;
    walk.send("show_dead_letter", &[("letter_id", &letter)], "")
        .await;
    walk.send("redrive_dead_letters", &[], "count them first")
        .await;
    walk.send("redrive_dead_letters", &[], "with a note").await;
    settle(&walk.service, &walk.worker).await;
    walk.settled(DECLINING).await;
    let letter = walk.first_letter().await;
    walk.send(
        "redrive_dead_letter",
        &[("letter_id", &letter)],
        "with a reason",
    )
    .await;
    settle(&walk.service, &walk.worker).await;
    walk.settled(DECLINING).await;
    let letter = walk.first_letter().await;
    walk.send(
        "discard_dead_letter",
        &[("letter_id", &letter)],
        "with a reason",
    )
    .await;
    let id = walk.settled(STUCK).await;
    walk.send("rule_order", &[("order_id", &id)], "go on").await;
    settle(&walk.service, &walk.worker).await;
}

async fn older_systems(walk: &mut Walk) {
    walk.send("place_contract_order", &[], "receipt").await;
    walk.send("place_contract_order", &[], "event").await;
    let basket = walk.send("place_contract_order", &[], "basket").await;
    let id = basket.field("order_id");
    let order = [("order_id", &*id)];
    walk.send("list_contract_orders", &[], "").await;
    walk.send("show_contract_order", &order, "").await;
    walk.send("label_contract_order", &order, "shipped").await;
    walk.send("delete_contract_order", &order, "").await;
    let product = [("product_id", "1")];
    walk.send("create_contract_product", &[], "laptop").await;
    walk.send("list_contract_products", &[], "").await;
    walk.send("show_contract_product", &product, "").await;
    walk.send("delete_product", &product, "").await;
}

async fn webhooks(walk: &mut Walk) {
    let made = walk.send("create_webhook", &[], "what ends orders").await;
    let id = made.field("webhook_id");
    let webhook = [("webhook_id", &*id)];
    walk.send("list_webhooks", &[], "").await;
    walk.send("show_webhook", &webhook, "").await;
    walk.send("change_webhook", &webhook, "of everything").await;
    walk.send("rotate_webhook_secret", &webhook, "").await;
    walk.send("list_deliveries", &webhook, "").await;
    let orders = walk.send("list_orders", &[], "").await.json();
    let order = orders["items"][0]["order_id"].as_str().unwrap();
    let told = walk
        .send("show_order_timeline", &[("order_id", order)], "")
        .await;
    let event = json!({ "event_id": told.json()["items"][0]["event_id"] });
    walk.send_body("resend_event", &webhook, "an event", Some(event))
        .await;
    walk.send("recover_events", &webhook, "of one day").await;
    walk.send("delete_webhook", &webhook, "").await;
}

async fn operators(walk: &mut Walk) {
    let token = walk.send("create_token", &[], "for a shop").await;
    walk.send("list_tokens", &[], "").await;
    walk.send(
        "revoke_token",
        &[("token_id", &token.field("token_id"))],
        "",
    )
    .await;
    walk.send("show_cache", &[], "").await;
    walk.send("flush_cache", &[], "").await;
    let quill = [("product_id", "quill")];
    walk.send("replace_product", &quill, "dearer").await;
    walk.send("place_orders", &[], "one in another currency")
        .await;
    for id in [
        "show_index",
        "show_liveness",
        "show_readiness",
        "show_metrics",
        "list_problems",
    ] {
        walk.send(id, &[], "").await;
    }
    walk.send("show_problem", &[("code", "not-found")], "")
        .await;
    // A stream ends with the server.
    walk.service.app.stopping.cancel();
    walk.send("stream_events", &[], "").await;
    walk.send("seed_orders", &[], "three").await;
    walk.send("reset_orders", &[], "also those under way").await;
}

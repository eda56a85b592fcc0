//! The description of every event, as `AsyncAPI` 3: who is told how, and what an event looks like.
//! Its schemas are those of the API's own description.

use crate::openapi::DOCUMENT;
use crate::v1::orders::JSON;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use domain::EventKind;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The schemas that an event is made of.
const SCHEMAS: [&str; 5] = ["Event", "EventData", "Failure", "Line", "Order"];

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// The description of every event as `AsyncAPI` 3, in JSON.
#[must_use]
pub fn asyncapi() -> &'static str {
    &TEXT
}

/// The description of the events
///
/// Of what webhooks, streams and topics are told, as `AsyncAPI` 3.
#[utoipa::path(
    get,
    path = "/asyncapi.json",
    operation_id = "show_asyncapi",
    tag = "operations",
    responses((status = 200, description = "AsyncAPI 3.0", body = Object)),
)]
pub(crate) async fn show() -> Response {
    ([(CONTENT_TYPE, JSON)], asyncapi()).into_response()
}

fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "orderd events",
            "version": DOCUMENT["info"]["version"],
            "description": "What happens to orders, as others are told it: CloudEvents 1.0 in their JSON format. Each is told at least once and always under the same `id`, so drop the ids that you know. The events of one order have ascending `sequence`s.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": messages(),
            "schemas": schemas(),
        },
    })
}

fn channels() -> Value {
    let told = |name: &str, address: Value, description: &str| {
        json!({
            "title": name,
            "address": address,
            "description": description,
            "messages": of_channel(public()),
        })
    };
    let mut topic = told(
        "A topic of SNS",
        Value::Null,
        "`events.topic_arn`. Each message carries the attribute `event_type`. On a topic whose name ends in `.fifo` each order is a group of its own. With `events.format = \"plain\"` it is told of orders that are placed, or due, and of nothing else: each message is the bare id.",
    );
    topic["messages"][ORDER_DUE] = message_ref(ORDER_DUE);
    topic["messages"][PLAIN_ORDER] = message_ref(PLAIN_ORDER);
    topic["bindings"] = json!({ "sns": { "name": "order-events" } });
    let mut completed = told(
        "A topic of SNS for orders that are completed",
        Value::Null,
        "`events.completed_topic_arn`. What a message says depends on `events.format`.",
    );
    completed["messages"] = of_channel(std::iter::once(EventKind::OrderCompleted));
    completed["messages"][PLAIN_COMPLETED] = message_ref(PLAIN_COMPLETED);
    completed["bindings"] = json!({ "sns": { "name": "order-completed" } });
    let mut queue = told(
        "A queue of SQS that orders come from",
        Value::Null,
        "`worker.queue_url`: a message means \"start or resume this order\", in either form of `events.format`.",
    );
    queue["messages"] = of_channel(std::iter::once(EventKind::OrderCreated));
    queue["messages"][ORDER_DUE] = message_ref(ORDER_DUE);
    queue["messages"][PLAIN_ORDER] = message_ref(PLAIN_ORDER);
    queue["bindings"] = json!({
        "sqs": { "queue": { "name": "order-processing-queue", "fifoQueue": false } },
    });
    json!({
        "stream": told(
            "Server-sent events",
            json!("/v1/events"),
            "`GET /v1/events`. Each event is a frame: `id` is its id, `event` its type, `data` the event in JSON. Resumed with `Last-Event-ID`; the last frame of a server that stops is `bye`.",
        ),
        "webhook": told(
            "A webhook",
            Value::Null,
            "A POST to the URL of a webhook, signed as Standard Webhooks 1.0 says, until a 2xx answers it. 410 ends it for good.",
        ),
        "topic": topic,
        "completed_topic": completed,
        "queue": queue,
    })
}

fn operations() -> Value {
    let operation = |action: &str, channel: &str, summary: &str| {
        json!({
            "action": action,
            "channel": { "$ref": format!("#/channels/{channel}") },
            "summary": summary,
        })
    };
    json!({
        "stream_events": operation("send", "stream", "Tells whoever listens"),
        "tell_webhook": operation("send", "webhook", "Tells each webhook that wants events of this type"),
        "publish_event": operation("send", "topic", "Publishes what happens to orders"),
        "publish_completed": operation("send", "completed_topic", "Publishes that an order is completed"),
        "work_on_order": operation("receive", "queue", "Starts or resumes an order"),
    })
}

/// The type of the message that says that an order is due, which is no event.
const ORDER_DUE: &str = "order.due.v1";

/// What the older system's messages say, where `events.format` is `plain`.
const PLAIN_ORDER: &str = "order.plain";
const PLAIN_COMPLETED: &str = "order.completed.plain";

fn public() -> impl Iterator<Item = EventKind> {
    EventKind::all().filter(|kind| kind.is_public())
}

fn of_channel(kinds: impl Iterator<Item = EventKind>) -> Value {
    let messages = kinds.map(|kind| (kind.as_str().to_owned(), message_ref(kind.as_str())));
    Value::Object(messages.collect())
}

fn message_ref(kind: &str) -> Value {
    json!({ "$ref": format!("#/components/messages/{kind}") })
}

fn messages() -> Value {
    let event = |kind: EventKind| {
        let event = json!({ "$ref": "#/components/schemas/Event" });
        let of_kind = json!({ "properties": { "type": { "const": kind.as_str() } } });
        let message = message(kind.as_str(), kind.meaning(), &json!([event, of_kind]));
        (kind.as_str().to_owned(), message)
    };
    let mut messages: Map<String, Value> = public().map(event).collect();
    let due = json!([{
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time"],
        "properties": {
            "type": { "const": ORDER_DUE },
            "subject": { "type": "string", "format": "uuid", "description": "The order." },
        },
    }]);
    let due = message(ORDER_DUE, "An order is due. Nothing happened to it.", &due);
    messages.insert(ORDER_DUE.to_owned(), due);
    messages.insert(PLAIN_ORDER.to_owned(), plain_order());
    messages.insert(PLAIN_COMPLETED.to_owned(), plain_completed());
    Value::Object(messages)
}

fn plain_order() -> Value {
    json!({
        "name": PLAIN_ORDER,
        "title": "New Order Notification",
        "summary": "An order was placed, or is due: its bare id. With `events.format = \"plain\"`.",
        "contentType": "text/plain",
        "headers": event_type(&[EventKind::OrderCreated.as_str(), ORDER_DUE]),
        "payload": { "type": "string", "format": "uuid" },
    })
}

fn plain_completed() -> Value {
    json!({
        "name": PLAIN_COMPLETED,
        "title": "Order Completed",
        "summary": "An order is completed. With `events.format = \"plain\"`.",
        "contentType": "application/json",
        "headers": event_type(&[EventKind::OrderCompleted.as_str()]),
        "payload": {
            "type": "object",
            "required": ["order_id", "status"],
            "properties": {
                "order_id": { "type": "string", "format": "uuid" },
                "status": { "const": "Completed" },
            },
        },
    })
}

/// The attribute that a topic's messages carry for filters.
fn event_type(kinds: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": { "event_type": { "type": "string", "enum": kinds } },
    })
}

fn message(kind: &str, summary: &str, forms: &Value) -> Value {
    json!({
        "name": kind,
        "title": kind,
        "summary": summary,
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "description": "Of a webhook: those of Standard Webhooks. Of a topic: attributes of the message.",
            "properties": {
                "webhook-id": { "type": "string", "format": "uuid", "description": "The id of the event." },
                "webhook-timestamp": { "type": "string", "description": "When it was sent, in seconds since 1970." },
                "webhook-signature": { "type": "string", "description": "`v1,` and the signature in Base64; two with a blank between while a secret is rotated." },
                "traceparent": { "type": "string", "description": "The trace of the request that caused it, where it had one." },
                "event_type": { "type": "string", "description": "Of a message of a topic: its type, for filters." },
            },
        },
        "payload": { "allOf": forms },
    })
}

fn schemas() -> Value {
    let schema = |name: &str| {
        (
            name.to_owned(),
            DOCUMENT["components"]["schemas"][name].clone(),
        )
    };
    Value::Object(SCHEMAS.into_iter().map(schema).collect())
}

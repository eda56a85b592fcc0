//! What a request may bring beside its body: the bounds of each parameter, by its name.

use crate::problem::Code;
use domain::idempotency::KEY_MAX;
use domain::order::Reason;
use domain::{ItemId, Status};
use serde_json::{Value, json};

/// What any request may bring.
const ANY: [&str; 2] = ["RequestId", "Traceparent"];

/// A text that holds something visible and no control characters.
pub(super) const TEXT: &str = r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f]*$";
pub(super) const UUID: &str =
    "^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
/// The years that there are here.
pub(super) const YEARS: &str = "^(19[7-9][0-9]|[2-9][0-9]{3})-";
/// Quotes around a key are not of it.
const KEY: &str = "^(?!\"\"$)[!-~]([ -~]*[!-~])?$";

/// Gives the parameters of an operation their bounds.
pub(super) fn complete(operation: &mut Value) {
    if !operation["parameters"].is_array() {
        operation["parameters"] = json!([]);
    }
    let parameters = operation["parameters"].as_array_mut();
    let Some(parameters) = parameters else { return };
    for parameter in parameters.iter_mut() {
        let is_in_query = parameter["in"] == "query";
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        if let Some((schema, example)) = described(&name, is_in_query) {
            parameter["schema"] = schema;
            if !example.is_null() {
                parameter["example"] = example;
            }
        }
    }
    let any = ANY.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    parameters.extend(any);
}

/// How a parameter looks, and one that does.
fn described(name: &str, is_in_query: bool) -> Option<(Value, Value)> {
    let text = |max: usize, pattern: &str| json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": pattern });
    let uuid = || json!({ "type": "string", "format": "uuid", "pattern": UUID });
    let time = || json!({ "type": "string", "format": "date-time", "pattern": YEARS });
    let words = |words: Vec<String>| json!({ "type": "string", "enum": words });
    let an_id = json!("01989a2c-6b1f-7c3e-8d4a-5f6071829304");
    Some(match name {
        "order_id" if is_in_query => (uuid(), an_id),
        "order_id" => (text(36, &numbered()), an_id),
        "refund_id" | "token_id" | "webhook_id" | "Last-Event-ID" => (uuid(), an_id),
        "letter_id" => (text(64, TEXT), json!(format!("{}:3", an_id.as_str()?))),
        "product_id" | "item_id" => (text(ItemId::MAX, TEXT), json!("pen")),
        "customer_id" => (text(128, TEXT), json!("cust1")),
        "principal" => (text(36, &format!("{UUID}|^anonymous$")), json!("anonymous")),
        "key" | "Idempotency-Key" => (text(KEY_MAX, KEY), json!("order-4711")),
        "code" => (words(Code::ALL.map(Code::path).into()), json!("not-found")),
        "limit" => {
            let limit = json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 });
            (limit, json!(20))
        }
        "cursor" => (text(1_000, "^[A-Za-z0-9_-]+$"), Value::Null),
        "status" => {
            let all = Status::all().map(|status| status.as_str().to_owned());
            (words(all.collect()), json!("completed"))
        }
        "reason" => {
            let all = Reason::ALL.map(|reason| reason.as_str().to_owned());
            (words(all.into()), json!("payment_declined"))
        }
        "state" => {
            let all = ["waiting", "redriven", "discarded", "all"];
            (words(all.map(str::to_owned).into()), json!("waiting"))
        }
        "created_from" | "created_to" => (time(), json!("2026-01-31T12:00:00Z")),
        "If-Match" | "If-None-Match" => (json!({ "type": "string" }), json!("\"1\"")),
        "Prefer" => (json!({ "type": "string" }), json!("wait=10")),
        _ => return None,
    })
}

/// The id of an order, or the number that an older system gave it.
fn numbered() -> String {
    format!("{UUID}|^(0|[1-9][0-9]{{0,18}})$")
}

/// What any request may bring.
pub(super) fn components() -> Value {
    json!({
        "RequestId": {
            "name": "X-Request-ID",
            "in": "header",
            "description": "Names the request in the answer and in the log: 1 to 128 letters, digits, `.`, `_` and `-`. `Request-ID` does as well; anything else is left alone, and the request gets a new UUID.",
            "schema": { "type": "string" },
            "example": "checkout-4711",
        },
        "Traceparent": {
            "name": "traceparent",
            "in": "header",
            "description": "The trace that the request is a part of (W3C Trace Context); left alone where it is not well formed.",
            "schema": { "type": "string" },
            "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
    })
}

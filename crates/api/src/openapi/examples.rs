//! Bodies that were sent and answered: a test sends each of `requests.json` through the front door,
//! and keeps in `answers.json` what came back.

use serde_json::{Value, json};
use std::sync::LazyLock;

/// What is answered as a document, and as text.
const JSON: [&str; 1] = ["application/json"];
const TEXT: [&str; 2] = ["text/event-stream", "text/plain"];

static REQUESTS: LazyLock<Value> = LazyLock::new(|| read(include_str!("requests.json")));
static ANSWERS: LazyLock<Value> = LazyLock::new(|| read(include_str!("answers.json")));

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("a test has read it")
}

/// Writes the examples of an operation into it.
pub(super) fn complete(id: &str, operation: &mut Value) {
    for (name, example) in REQUESTS[id].as_object().into_iter().flatten() {
        let content = &mut operation["requestBody"]["content"]["application/json"];
        content["examples"][name] = json!({ "value": example });
    }
    for (status, example) in ANSWERS[id].as_object().into_iter().flatten() {
        let content = &mut operation["responses"][status]["content"];
        let sorts: &[&str] = if example.is_string() { &TEXT } else { &JSON };
        for sort in sorts {
            if let Some(content) = content.get_mut(*sort) {
                content["example"] = example.clone();
            }
        }
    }
}

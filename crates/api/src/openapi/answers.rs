//! What may go wrong with a request: what is the same for all, what follows from what it brings, and
//! what its handler says.

use super::{Operation, members};
use crate::access::is_health;
use crate::problem::{Code, Problem};
use axum::http::StatusCode;
use domain::Prefix;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The codes that a request may be answered with, by status.
pub(super) type Problems = BTreeMap<u16, BTreeSet<&'static str>>;

/// Operations that answer a wrong body with 400, as the older systems did.
const BODY_400: [&str; 4] = [
    "create_contract_product",
    "label_contract_order",
    "place_contract_order",
    "seed_orders",
];

/// What an operation may be answered where it fails.
pub(super) fn problems(operation: &Operation<'_>) -> Problems {
    let mut found = Found::default();
    found.add(&[
        Code::BadRequest,
        Code::HeaderFieldsTooLarge,
        Code::Internal,
        Code::Overloaded,
        Code::RequestTimeout,
    ]);
    if !is_health(operation.path) {
        found.add(&[Code::Unauthorized, Code::Forbidden, Code::Misdirected]);
        found.add(&[Code::RateLimited, Code::Unavailable]);
    }
    if operation.path.starts_with("/admin/") {
        found.add(&[Code::AdminDisabled, Code::AdminUnauthorized]);
    }
    if operation.method != "get" {
        found.add(&[Code::OutcomeUnknown]);
    }
    if operation.has_body() {
        of_body(operation, &mut found);
    }
    of_parameters(operation, &mut found);
    for word in operation.problems() {
        let code = Code::parse(word).expect("a handler names codes that there are");
        found.add(&[code]);
    }
    found.0
}

fn of_body(operation: &Operation<'_>, found: &mut Found) {
    found.add(&[
        Code::PayloadTooLarge,
        Code::InvalidJson,
        Code::InvalidBody,
        Code::UnsupportedMediaType,
    ]);
    if BODY_400.contains(&operation.id()) {
        found.add_as(400, Code::ValidationFailed);
    }
    if !BODY_400.contains(&operation.id()) || operation.id() == "place_contract_order" {
        found.add(&[Code::ValidationFailed]);
    }
}

fn of_parameters(operation: &Operation<'_>, found: &mut Found) {
    if operation.has("Idempotency-Key") {
        found.add(&[
            Code::IdempotencyKeyInvalid,
            Code::IdempotencyKeyExpired,
            Code::IdempotencyKeyReused,
        ]);
        // Where the operator chose the status of the IETF's draft.
        found.add_as(422, Code::IdempotencyKeyReused);
    }
    if operation.method != "get" && (operation.has("If-Match") || operation.has("If-None-Match")) {
        found.add(&[Code::PreconditionFailed]);
    }
    if operation.takes("path") {
        found.add(&[Code::NotFound]);
    }
    if operation.takes("query") && !is_health(operation.path) {
        found.add(&[Code::InvalidQuery]);
    }
    if operation.has("cursor") {
        found.add(&[Code::CursorInvalid]);
    }
    if operation.has("X-Debug-Fail-After-Commit") {
        found.add(&[Code::SimulatedFailure]);
    }
}

#[derive(Default)]
struct Found(Problems);

impl Found {
    fn add(&mut self, codes: &[Code]) {
        for code in codes {
            self.add_as(code.row().status, *code);
        }
    }

    fn add_as(&mut self, status: u16, code: Code) {
        self.0.entry(status).or_default().insert(code.as_str());
    }
}

/// Writes the problems into an operation's responses, beside what its handler says of them.
pub(super) fn complete(operation: &mut Value, problems: &Problems) {
    let responses = members(operation, "responses");
    for (status, codes) in problems {
        let response = responses.entry(status.to_string()).or_insert(json!({}));
        let words: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        let said = response["description"].as_str().map(str::to_owned);
        let said = said.unwrap_or_else(|| reason(*status).to_owned());
        response["description"] = format!("{said}: {}", words.join(", ")).into();
        let examples = codes.iter().map(|code| {
            let example = json!({ "$ref": format!("#/components/examples/{code}") });
            ((*code).to_owned(), example)
        });
        let problem = json!({
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples.collect::<serde_json::Map<_, _>>(),
        });
        let content = members(response, "content");
        content.remove("application/json");
        content.insert("application/problem+json".to_owned(), problem);
    }
}

fn reason(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    let reason = status.and_then(|status| status.canonical_reason());
    reason.unwrap_or("A problem")
}

/// Every code as a client would see it.
pub(super) fn examples() -> Value {
    let example = |code: Code| {
        let value = example(code);
        let example = json!({ "summary": code.row().title, "value": value });
        (code.as_str().to_owned(), example)
    };
    Value::Object(Code::ALL.into_iter().map(example).collect())
}

/// A problem of this code as a client would see it.
pub(crate) fn example(code: Code) -> Value {
    let problem = Problem::new(code, code.row().cause);
    let request_id = "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let json = problem.to_json(request_id, None, &Prefix::default());
    serde_json::from_slice(&json).expect("what was written as JSON can be read")
}

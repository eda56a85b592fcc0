//! The fields in the head of an answer: those of every answer, and how each of them looks.

use super::members;
use serde_json::{Value, json};

/// What every answer has.
const ALWAYS: [&str; 4] = [
    "X-Request-ID",
    "Request-ID",
    "Cache-Control",
    "X-Content-Type-Options",
];
/// What an answer has where there is a limit.
const LIMITED: [&str; 2] = ["RateLimit", "RateLimit-Policy"];
/// What an answer has where its request belongs to a trace.
const TRACED: [&str; 1] = ["traceparent"];

/// Gives every response of an operation the fields that it has beside those its handler names.
pub(super) fn complete(operation: &mut Value, is_health: bool) {
    for (status, response) in members(operation, "responses") {
        let of_status: &[&str] = match status.as_str() {
            "401" => &["WWW-Authenticate"],
            "429" | "503" => &["Retry-After"],
            _ => &[],
        };
        let limited: &[&str] = if is_health { &[] } else { &LIMITED };
        let headers = members(response, "headers");
        let own: Vec<String> = headers.keys().cloned().collect();
        let own = own.iter().map(String::as_str);
        let names = own.chain(ALWAYS).chain(TRACED);
        let names = names.chain(limited.iter().copied());
        for name in names.chain(of_status.iter().copied()) {
            let known = json!({ "$ref": format!("#/components/headers/{name}") });
            headers.insert(name.to_owned(), known);
        }
    }
}

/// How each field looks.
pub(super) fn components() -> Value {
    let header = |(name, pattern, description): &(&str, &str, &str)| {
        let schema = if *name == "Retry-After" {
            json!({ "type": "integer", "minimum": 1 })
        } else {
            json!({ "type": "string", "pattern": pattern })
        };
        let header = json!({
            "description": description,
            "required": ALWAYS.contains(name),
            "schema": schema,
        });
        ((*name).to_owned(), header)
    };
    Value::Object(FIELDS.iter().map(header).collect())
}

/// Each field: its name, its pattern, what it says.
const FIELDS: [(&str, &str, &str); 19] = [
    (
        "Cache-Control",
        "^[a-z]",
        "`no-store`, unless the answer is the same for ever",
    ),
    (
        "Content-Encoding",
        "^gzip$",
        "Only where the request says that it takes it",
    ),
    (
        "Content-Security-Policy",
        "^default-src 'none';",
        "Of a page: nothing comes from elsewhere",
    ),
    (
        "ETag",
        "^(W/)?\"[^\"]*\"$",
        "The version of what is shown, for `If-Match` and `If-None-Match`",
    ),
    (
        "Idempotent-Replayed",
        "^true$",
        "Only where the answer was given before, under this key",
    ),
    (
        "Link",
        "^<[^>]+>; rel=\"next\"$",
        "The next page (RFC 8288); not on the last one",
    ),
    ("Location", "^/", "The path of what was made"),
    (
        "Preference-Applied",
        "^wait=[0-9]+$",
        "For how many seconds the answer was waited for at the most (RFC 7240)",
    ),
    (
        "RateLimit",
        "^\"default\";r=[0-9]+;t=[0-9]+$",
        "How many requests are left, and in how many seconds all are again; where there is a limit",
    ),
    (
        "RateLimit-Policy",
        "^\"default\";q=[0-9]+;w=[0-9]+$",
        "How many requests each sender has, in how many seconds; where there is a limit",
    ),
    (
        "Request-ID",
        "^[A-Za-z0-9._-]{1,128}$",
        "The same as `X-Request-ID`",
    ),
    (
        "Retry-After",
        "",
        "After how many seconds a retry is worth it",
    ),
    (
        "Vary",
        "^[A-Za-z-]+(, [A-Za-z-]+)*$",
        "On which fields of the request the answer depends",
    ),
    (
        "WWW-Authenticate",
        "^Bearer$",
        "How to say who asks: by a token",
    ),
    (
        "X-Accel-Buffering",
        "^no$",
        "`no`, so that a proxy holds nothing back",
    ),
    (
        "X-Cache",
        "^(hit|miss|bypass)$",
        "Whether the answer was kept",
    ),
    ("X-Content-Type-Options", "^nosniff$", "`nosniff`"),
    (
        "traceparent",
        "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        "The span of the request (W3C Trace Context), where it belongs to a trace",
    ),
    (
        "X-Request-ID",
        "^[A-Za-z0-9._-]{1,128}$",
        "The request, as in the log: the id that it was sent with, else a new UUID",
    ),
];

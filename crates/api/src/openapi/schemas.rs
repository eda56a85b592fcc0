//! The bodies of requests and answers: bounds and words that no type of Rust says.

use super::parameters::{TEXT, UUID, YEARS};
use crate::problem::Code;
use domain::fulfil::Ruling;
use domain::order::Reason;
use domain::token::TokenScope;
use domain::{EventKind, Status};
use serde_json::{Map, Value, json};

/// Alternatives of which a body may look like more than one.
const ANY_OF: [&str; 3] = ["ContractOrder", "ContractPlaced", "NewContractOrder"];
/// What needs one of two fields.
const EITHER: [(&str, [&str; 2]); 2] = [
    ("NewOrder", ["customer_id", "customer_name"]),
    ("NewLine", ["item_id", "name"]),
];

/// Completes every schema.
pub(super) fn complete(schemas: &mut Value) {
    let named = schemas.as_object_mut();
    for (name, schema) in named.into_iter().flatten() {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flatten().map(|(_, it)| it) {
            bounded(property);
            if name == "Recover" {
                property["pattern"] = YEARS.into();
            }
        }
        let alternatives = schema.as_object_mut().filter(|_| ANY_OF.contains(&&**name));
        if let Some(schema) = alternatives
            && let Some(forms) = schema.remove("oneOf")
        {
            schema.insert("anyOf".to_owned(), forms);
        }
    }
    for (name, fields) in EITHER {
        schemas[name]["anyOf"] = fields
            .map(|field| json!({ "required": [field], "properties": { field: { "type": "string" } } }))
            .into();
    }
    for (name, field, words) in words() {
        let place = &mut schemas[name]["properties"][field];
        if place["items"].is_object() {
            place["items"]["enum"] = words.into();
            place["maxItems"] = 100.into();
        } else {
            let is_optional = place["type"].is_array();
            let none = is_optional.then_some(Value::Null);
            let words = words.into_iter().map(Value::from).chain(none);
            place["enum"] = words.collect();
        }
    }
    schemas["CatalogueProduct"]["properties"]["price"] = price();
    let count = json!({ "type": "integer", "minimum": 1, "maximum": 100_000 });
    schemas["Seed"] = json!({ "anyOf": [schemas["Seed"].take(), count] });
    schemas["StockChange"]["properties"]["change"]["not"] = json!({ "const": 0 });
    schemas["Resend"]["properties"]["event_id"]["pattern"] = UUID.into();
}

/// Bounds that follow from other bounds.
fn bounded(property: &mut Value) {
    let Value::Object(property) = property else {
        return;
    };
    let is = |property: &Map<String, Value>, kind: &str| match &property["type"] {
        Value::Array(kinds) => kinds.iter().any(|it| it == kind),
        only => only == kind,
    };
    if property.contains_key("type") && is(property, "string") && property.contains_key("maxLength")
    {
        property.entry("pattern").or_insert(TEXT.into());
    }
    if property.contains_key("type") && is(property, "integer") && property.contains_key("minimum")
    {
        property.entry("maximum").or_insert(i64::MAX.into());
    }
}

/// The words that a field holds one of.
fn words() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let kinds = |which: fn(&EventKind) -> bool| {
        let kinds = EventKind::all().filter(which);
        kinds.map(|kind| kind.as_str().to_owned()).collect()
    };
    let statuses: Vec<String> = Status::all().map(|it| it.as_str().to_owned()).collect();
    let reasons: Vec<String> = Reason::ALL.map(|it| it.as_str().to_owned()).into();
    let scopes: Vec<String> = TokenScope::ALL.map(|it| it.as_str().to_owned()).into();
    vec![
        ("DeadLetter", "reason", reasons.clone()),
        (
            "DeadLetter",
            "compensated",
            owned(&["yes", "no", "partial"]),
        ),
        (
            "DeadLetter",
            "state",
            owned(&["waiting", "redriven", "discarded"]),
        ),
        ("Event", "type", kinds(|kind| kind.is_public())),
        ("Failure", "reason", reasons.clone()),
        ("NewToken", "scope", scopes.clone()),
        ("NewWebhook", "events", kinds(|kind| kind.is_public())),
        ("Order", "status", statuses.clone()),
        (
            "Problem",
            "code",
            Code::ALL.map(|it| it.as_str().to_owned()).into(),
        ),
        ("Redrive", "reason", reasons),
        (
            "Refund",
            "status",
            owned(&["pending", "succeeded", "failed"]),
        ),
        (
            "Ruling",
            "ruling",
            owned(&[Ruling::Complete.as_str(), Ruling::Undo.as_str()]),
        ),
        ("Timeline", "status", statuses),
        ("TimelineEntry", "kind", kinds(|_| true)),
        ("Token", "scope", scopes),
        ("WebhookChange", "events", kinds(|kind| kind.is_public())),
    ]
}

/// An amount in the currency's own unit, of which the default one has two decimals.
fn price() -> Value {
    json!({
        "type": "number",
        "description": "The price of one, more than 0, with no more decimals than the currency has.",
        "exclusiveMinimum": 0,
        "maximum": i64::MAX / 100,
        "multipleOf": json!(0.01),
        "example": 1999,
    })
}

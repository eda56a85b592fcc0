//! The description of every route as `OpenAPI` 3.1: what the handlers say of themselves, and what
//! follows from it.
//!
//! A handler says what it takes, what it answers where all goes well, and which problems are its
//! own (`x-problems`). The rest is the same for all and is added here: what any request may bring
//! and be answered, the bounds of parameters by their names, examples.

mod answers;
mod examples;
mod headers;
mod parameters;
mod schemas;
mod shared;

pub(crate) use answers::example;

use crate::cloud_event::{CloudEvent, Data};
use crate::problem;
use domain::Prefix;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "orderd",
        description = "Takes each order exactly once and drives it to its end.\n\nEvery failed request is answered with a problem (RFC 9457): its `code` says which, for ever, and `/problems/{code}` explains it. A method that a path does not take is 405 with `Allow`. HEAD is answered wherever GET is.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document comes from")),
    tags(
        (name = "orders", description = "Place orders, read them, cancel them, give money back"),
        (name = "products", description = "The catalogue: what lines are about, and for how much"),
        (name = "stock", description = "How many of an item there are"),
        (name = "events", description = "What happens, as it happens; `/asyncapi.json` describes the events"),
        (name = "webhooks", description = "Have events told to a URL"),
        (name = "dead letters", description = "Orders that were given up: see why, bring them back"),
        (name = "access", description = "Tokens, and what they may do"),
        (name = "contracts", description = "The wire forms of older systems"),
        (name = "operations", description = "Health, metrics, the cache, and documents"),
        (name = "admin", description = "Reset and seed; there are no such routes unless an admin password is configured"),
    ),
    components(schemas(problem::Document, CloudEvent, Data))
)]
pub(crate) struct Document;

/// An operation of the document, and where it is.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    fn has_body(&self) -> bool {
        self.value.get("requestBody").is_some()
    }

    fn has(&self, parameter: &str) -> bool {
        self.parameters().any(|it| it["name"] == parameter)
    }

    fn takes(&self, place: &str) -> bool {
        self.parameters().any(|it| it["in"] == place)
    }

    fn parameters(&self) -> impl Iterator<Item = &Value> {
        self.value["parameters"].as_array().into_iter().flatten()
    }

    /// The problems that are its own.
    fn problems(&self) -> impl Iterator<Item = &str> {
        let words = self.value["x-problems"].as_array();
        words.into_iter().flatten().filter_map(Value::as_str)
    }
}

static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

/// The whole of it.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let said = serde_json::to_value(crate::router::described());
    completed(said.expect("a document of texts can always be written"))
});

/// The description of every route as `OpenAPI` 3.1, in JSON.
#[must_use]
pub fn openapi() -> &'static str {
    &TEXT
}

/// The same for who comes through a proxy: paths begin with the prefix.
pub(crate) fn openapi_below(prefix: &Prefix) -> Cow<'static, str> {
    if prefix.is_empty() {
        return openapi().into();
    }
    let mut document = DOCUMENT.clone();
    document["servers"][0]["url"] = prefix.to_string().into();
    document.to_string().into()
}

fn completed(mut document: Value) -> Value {
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.into_iter().flatten() {
        for (method, value) in item.as_object_mut().into_iter().flatten() {
            complete(method, path, value);
        }
    }
    let components = &mut document["components"];
    schemas::complete(&mut components["schemas"]);
    components["headers"] = headers::components();
    components["parameters"] = parameters::components();
    components["examples"] = answers::examples();
    components["securitySchemes"] = json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `/v1/tokens`; its scope says what it may do: read, write or admin. Without one, a request may do what the operator allows (`access.anonymous`).",
        },
        "admin_password": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Admin-Password",
            "description": "The configured password of the admin routes; a token of scope admin does as well.",
        },
    });
    document["security"] = json!([{}, { "token": [] }]);
    shared::complete(&mut document);
    document
}

fn complete(method: &str, path: &str, value: &mut Value) {
    let operation = Operation {
        method,
        path,
        value,
    };
    let problems = answers::problems(&operation);
    let id = operation.id().to_owned();
    let waits_for = crate::access::is_health(path);
    optional_body(value);
    parameters::complete(value);
    answers::complete(value, &problems);
    examples::complete(&id, value);
    headers::complete(value, waits_for);
    if path.starts_with("/admin/") {
        value["security"] = json!([{ "admin_password": [] }, { "token": [] }]);
    } else if waits_for {
        value["security"] = json!([]);
    }
    value.as_object_mut().map(|it| it.remove("x-problems"));
}

/// A body that may be left out is not one that may be null.
fn optional_body(operation: &mut Value) {
    let schema = operation.pointer_mut("/requestBody/content/application~1json/schema");
    let Some(schema) = schema else { return };
    let forms = schema.get("oneOf").and_then(Value::as_array);
    let form = forms.and_then(|forms| forms.iter().find(|form| form.get("$ref").is_some()));
    if let Some(form) = form.cloned() {
        *schema = form;
        operation["requestBody"]["required"] = false.into();
    }
}

/// The members of an object, which is made where there is none.
fn members<'a>(value: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    let member = &mut value[name];
    if !member.is_object() {
        *member = json!({});
    }
    member.as_object_mut().expect("it is one")
}

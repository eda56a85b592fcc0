//! The description of the API, held against every answer that any test of the front door gets.

use crate::service::Answer;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(api::openapi()).unwrap());

/// Fields that any answer may have, or that belong to the connection.
const UNSAID: [&str; 4] = ["allow", "connection", "content-length", "content-type"];

/// Asserts that an answer is one that the document speaks of.
pub(crate) fn check(method: &str, uri: &str, answer: &Answer) {
    let path = uri.split('?').next().unwrap_or_default();
    let Some(template) = template(path) else {
        return;
    };
    let method = match method {
        "HEAD" => "get".to_owned(),
        other => other.to_lowercase(),
    };
    let operation = &DOCUMENT["paths"][template][&method];
    if operation.is_null() || answer.status == 405 {
        return;
    }
    let of = format!("{method} {template}: {}", answer.status);
    let response = referred(&operation["responses"][answer.status.to_string()]);
    assert!(
        response.is_object(),
        "not documented: {of}\n{}",
        answer.body
    );
    let sort = answer.header("content-type");
    if let Some(sort) = sort {
        let sort = sort.split(';').next().unwrap_or_default();
        let content = &response["content"][sort];
        assert!(content.is_object(), "not documented: {of} as {sort}");
        if sort == "application/problem+json" && method != "head" && !answer.body.is_empty() {
            let code = answer.field("code");
            let documented = content["examples"][&code].is_object();
            assert!(documented, "not documented: {of} {code}");
        }
    }
    let documented = response["headers"].as_object().into_iter().flatten();
    let documented: BTreeSet<String> = documented.map(|(name, _)| name.to_lowercase()).collect();
    for name in answer.headers.keys() {
        let known = documented.contains(name.as_str()) || UNSAID.contains(&name.as_str());
        assert!(known, "not documented: {of} with the header {name}");
    }
}

/// What a part of the document is, or refers to.
fn referred(part: &'static Value) -> &'static Value {
    let target = part["$ref"].as_str();
    target.map_or(part, |target| DOCUMENT.pointer(&target[1..]).unwrap())
}

/// The template of a path, if the document has one: that with the fewest parameters.
fn template(path: &str) -> Option<&'static str> {
    let path = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    };
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let own: Vec<&str> = template.split('/').collect();
        own.len() == segments.len()
            && own
                .iter()
                .zip(&segments)
                .all(|(own, sent)| own == sent || (own.starts_with('{') && !sent.is_empty()))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap().keys();
    let fewest = paths.filter(fits);
    fewest
        .min_by_key(|template| template.matches('{').count())
        .map(String::as_str)
}

/// Every operation with its path and method.
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap();
        methods
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

#[test]
fn every_operation_has_a_name_of_its_own_and_a_tag_that_is_described() {
    let tags: BTreeSet<&str> = DOCUMENT["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} is twice, at {method} {path}");
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(tags.contains(tag), "{tag}");
        assert!(operation["summary"].is_string(), "{name}");
    }
    assert!(names.len() > 50);
}

#[test]
fn every_code_is_answered_by_some_operation_and_has_an_example() {
    let mut told = BTreeSet::new();
    for (_, _, operation) in operations() {
        for response in operation["responses"].as_object().unwrap().values() {
            let content = &referred(response)["content"]["application/problem+json"];
            let codes = content["examples"].as_object().into_iter().flatten();
            told.extend(codes.map(|(code, _)| code.as_str()));
        }
    }
    // What no operation is behind: a method that its path does not take.
    told.insert("method_not_allowed");
    for code in api::problem::Code::ALL {
        assert!(told.contains(code.as_str()), "{code:?}");
        let example = &DOCUMENT["components"]["examples"][code.as_str()]["value"];
        assert_eq!(example["code"], code.as_str());
    }
}

#[test]
fn everything_that_is_referred_to_is_there() {
    fn look(value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let found = DOCUMENT.pointer(target.trim_start_matches('#'));
                    assert!(found.is_some(), "nothing is at {target}");
                }
                members.values().for_each(look);
            }
            Value::Array(items) => items.iter().for_each(look),
            _ => {}
        }
    }
    look(&DOCUMENT);
}

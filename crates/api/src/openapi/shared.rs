//! Answers that many operations have in common are written down once.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Moves each failure that more than one operation answers to the components.
pub(super) fn complete(document: &mut Value) {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    each(document, |_, response| {
        *counted.entry(response.to_string()).or_default() += 1;
    });
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let mut shared = Map::new();
    each(document, |status, response| {
        let text = response.to_string();
        if counted[&text] < 2 {
            return;
        }
        let name = named.entry(text).or_insert_with(|| {
            let before = shared.keys().filter(|name| name.starts_with(status));
            let name = format!("{status}.{}", before.count() + 1);
            shared.insert(name.clone(), response.take());
            name
        });
        *response = json!({ "$ref": format!("#/components/responses/{name}") });
    });
    document["components"]["responses"] = shared.into();
}

/// Does something with every failure that an operation answers.
fn each(document: &mut Value, mut act: impl FnMut(&str, &mut Value)) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let items = paths.filter_map(|(_, item)| item.as_object_mut());
    for (_, operation) in items.flatten() {
        let responses = operation["responses"].as_object_mut();
        for (status, response) in responses.into_iter().flatten() {
            if status.starts_with(['4', '5']) {
                act(status, response);
            }
        }
    }
}

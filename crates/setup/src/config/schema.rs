//! The JSON Schema of `orderd.toml`, for editors. It is made of what is there: names, defaults and
//! comments are those of `config.default.toml`, and bounds and words are what a setting says of a
//! value that it refuses.

use super::Settings;
use super::values::{DEFAULTS, Found, Origin, SECRETS, Values, defaults, table};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use toml::Value;

/// What no setting takes, as text.
const NONSENSE: &str = "\u{1}";

/// The JSON Schema of a configuration file.
#[must_use]
pub fn schema() -> Json {
    let defaults = defaults();
    let comments = comments();
    let mut sections: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    for (key, found) in &defaults {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let settings = sections.entry(section).or_default();
        let comment = comments.get(key).map_or("", String::as_str);
        if SECRETS.contains(&key.as_str()) {
            let description = format!("A file that holds {name}, instead of the value itself.");
            let file = json!({ "type": "string", "description": description });
            settings.insert(format!("{name}_file"), file);
        }
        settings.insert(name.to_owned(), setting(key, found, comment, &defaults));
    }
    let section = |(name, settings): (&str, Map<String, Json>)| {
        let section = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": settings,
        });
        (name.to_owned(), section)
    };
    let sections: Map<String, Json> = sections.into_iter().map(section).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "orderd.toml",
        "description": "Every setting of orderd, with its default.",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

fn setting(key: &str, found: &Found, comment: &str, defaults: &Values) -> Json {
    let refusal = |value: Value| refusal(key, value, defaults);
    let mut schema = match &found.value {
        Value::Boolean(_) => json!({ "type": "boolean" }),
        Value::Integer(_) => match bounds(&refusal(Value::Integer(-1))) {
            Some((least, most)) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            None => json!({ "type": "integer", "enum": numbers(&refusal(Value::Integer(0))) }),
        },
        Value::Float(_) => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        _ => {
            let expected = refusal(Value::String(NONSENSE.to_owned()));
            match words(&expected) {
                words if words.is_empty() => json!({ "type": "string" }),
                words => json!({ "type": "string", "enum": words }),
            }
        }
    };
    schema["description"] = comment.into();
    schema["default"] = serde_json::to_value(&found.value).expect("a setting is plain");
    schema
}

/// What a setting says that it expects, of a value that it refuses; nothing where it takes it.
fn refusal(key: &str, value: Value, defaults: &Values) -> String {
    let origin = Origin::Default;
    let mut values = defaults.clone();
    values.insert(key.to_owned(), Found { value, origin });
    let Err(error) = table(&values).try_into::<Settings>() else {
        return String::new();
    };
    let message = error.message().to_owned();
    let expected = message.split_once("expected ");
    expected.map_or_else(String::new, |(_, expected)| expected.to_owned())
}

/// The bounds in `a number from 1 to 10`.
fn bounds(expected: &str) -> Option<(u64, u64)> {
    let (least, most) = expected.split_once("from ")?.1.split_once(" to ")?;
    Some((least.parse().ok()?, most.parse().ok()?))
}

/// The numbers in `409 or 422`.
fn numbers(expected: &str) -> Vec<u64> {
    expected
        .split(" or ")
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The words in ``one of `auto`, `on` ``.
fn words(expected: &str) -> Vec<String> {
    let quoted = expected.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// What `config.default.toml` says of each setting, by key.
fn comments() -> BTreeMap<String, String> {
    let mut comments = BTreeMap::new();
    let (mut section, mut said, mut is_over) = (String::new(), Vec::new(), false);
    for line in DEFAULTS.lines() {
        if let Some(words) = line.strip_prefix('#') {
            if is_over {
                said.clear();
            }
            said.push(words.trim());
            is_over = false;
            continue;
        }
        // A comment may be about more than one setting.
        is_over = true;
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if let Some((name, _)) = line.split_once('=') {
            comments.insert(format!("{section}.{}", name.trim()), said.join(" "));
        }
    }
    comments
}

#[cfg(test)]
mod tests;

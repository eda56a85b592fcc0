//! What one source says, put under the keys of the settings: a file, or a set of variables.

use super::settings;
use super::values::{Found, Origin, SECRETS, Values, coerce, defaults, insert, unknown, variable};
use crate::exit::{Code, Exit};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;
use toml::de::{DeTable, DeValue};

/// Names from outside that stand for a setting: those that users of the older systems, and of
/// Rust programs, know.
pub const ALIASES: [(&str, &str); 18] = [
    ("ORDERD_LISTEN", "server.listen"),
    ("DATABASE_URL", "database.url"),
    ("DYNAMODB_ORDERS_TABLE", "database.orders_table"),
    ("ORDERS_TABLE", "database.orders_table"),
    ("PORT", "server.listen"),
    ("ADMIN_PASSWORD", "admin.password"),
    ("REDIS_URL", "cache.redis_url"),
    ("PAYMENT_API_URL", "payments.api_url"),
    ("INVENTORY_API_URL", "inventory.api_url"),
    ("ORDERS_CACHE_TTL", "cache.ttl"),
    ("CACHE_DISABLED", "cache.disabled"),
    ("RUST_LOG", "log.level"),
    ("POWERTOOLS_LOG_LEVEL", "log.level"),
    ("LOG_LEVEL", "log.level"),
    ("POWERTOOLS_METRICS_NAMESPACE", "lambda.metrics_namespace"),
    ("POWERTOOLS_SERVICE_NAME", "lambda.service"),
    ("SNS_TOPIC_ARN", "events.topic_arn"),
    ("COMPLETION_SNS_TOPIC_ARN", "events.completed_topic_arn"),
];

/// What the file at `path` says.
pub(super) fn from_file(path: &Path, text: &str, defaults: &Values) -> anyhow::Result<Values> {
    let syntax = |error: toml::de::Error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let place = Origin::File(path.to_owned(), line);
        Exit::new(
            Code::Configuration,
            &format!("Cannot read {place}."),
            error.message(),
            "correct that line.",
        )
    };
    let table = DeTable::parse(text).map_err(syntax)?;
    let mut values = BTreeMap::new();
    for (section, settings) in table.get_ref() {
        let DeValue::Table(settings) = settings.get_ref() else {
            let place = Origin::File(path.to_owned(), line_of(text, section.span().start));
            return Err(unknown(section.get_ref(), &place, defaults).into());
        };
        for (name, value) in settings {
            let key = format!("{}.{}", section.get_ref(), name.get_ref());
            let origin = Origin::File(path.to_owned(), line_of(text, name.span().start));
            let value = Value::deserialize(toml::de::ValueDeserializer::from(value.clone()))
                .map_err(syntax)?;
            insert(&key, value, origin, defaults, &mut values)?;
        }
    }
    Ok(values)
}

/// The names that the older systems' users know; an own name of the same strength is stronger.
pub(super) fn from_aliases(
    variables: &BTreeMap<String, String>,
    origin: fn(String) -> Origin,
    values: &mut Values,
) -> Result<(), Exit> {
    // In reverse, so that the first of two that stand for one setting wins.
    for (name, key) in ALIASES.iter().rev() {
        let Some(text) = variables.get(*name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let text = match *name {
            "PORT" => with_port(text, values)?,
            // A number of seconds.
            "ORDERS_CACHE_TTL" => format!("{}s", text.trim_end_matches('s')),
            "LOG_LEVEL" | "POWERTOOLS_LOG_LEVEL" => match level(text) {
                Some(level) => level.to_owned(),
                // It may be meant for somebody else.
                None => continue,
            },
            _ => text.clone(),
        };
        let found = Found {
            value: coerce(&values[*key].value, &text),
            origin: origin((*name).to_owned()),
        };
        values.insert((*key).to_owned(), found);
    }
    // Last: to the older system they are stronger than DATABASE_URL.
    if let [Some(user), Some(password), Some(host), Some(name)] =
        ["DB_USER", "DB_PASS", "DB_HOST", "DB_NAME"].map(|name| variables.get(name))
    {
        let [user, password, name] = [user, password, name].map(|text| encoded(text));
        let url = format!("mysql://{user}:{password}@{host}/{name}");
        let found = Found {
            value: Value::String(url),
            origin: origin("DB_HOST".to_owned()),
        };
        values.insert("database.url".to_owned(), found);
    }
    Ok(())
}

/// The level that others call by such a word.
fn level(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "info" => "info",
        "warn" | "warning" => "warn",
        "error" | "critical" | "fatal" => "error",
        _ => return None,
    })
}

/// `PORT` says nothing of the address: that stays as it is.
fn with_port(port: &str, values: &Values) -> Result<String, Exit> {
    let address = values["server.listen"]
        .value
        .as_str()
        .and_then(settings::parse_address);
    let (Ok(port), Some(mut address)) = (port.parse::<u16>(), address) else {
        return Err(Exit::new(
            Code::Configuration,
            "Cannot use the environment variable PORT.",
            format!("{port:?} is no port"),
            "set it to a number from 1 to 65535, or unset it.",
        ));
    };
    address.set_port(port);
    Ok(address.to_string())
}

/// The names that follow from the keys: `[idempotency] retention` is `ORDERD_IDEMPOTENCY_RETENTION`.
pub(super) fn from_variables(
    variables: &BTreeMap<String, String>,
    origin: fn(String) -> Origin,
    values: &mut Values,
) -> Result<(), Exit> {
    let defaults = defaults();
    let twins = SECRETS.iter().map(|key| format!("{key}_file"));
    for key in twins.chain(defaults.keys().cloned()) {
        let name = variable(&key);
        let Some(text) = variables.get(&name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = match defaults.get(&key) {
            Some(default) => coerce(&default.value, text),
            None => Value::String(text.clone()),
        };
        insert(&key, value, origin(name), &defaults, values)?;
    }
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

/// Text as a part of a path or query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // A plus is a space in queries only.
    encoded.replace('+', "%20")
}

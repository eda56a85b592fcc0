//! A value, where it was found, and what goes for all of them: names, defaults, types.

use crate::exit::{Code, Exit};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::de::DeTable;
use toml::{Table, Value};

/// Every setting, its default, a comment each.
pub const DEFAULTS: &str = include_str!("../../../../config.default.toml");

/// Settings whose value nobody may see, and that can be kept in a file of their own.
pub(super) const SECRETS: [&str; 6] = [
    "admin.password",
    "cache.redis_url",
    "database.password",
    "database.url",
    "inventory.api_url",
    "payments.api_url",
];

/// What was found, by key: `idempotency.retention`.
pub type Values = BTreeMap<String, Found>;

/// A value and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The value.
    pub value: Value,
    /// Where it was found.
    pub origin: Origin,
}

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In a file, in this line.
    File(PathBuf, usize),
    /// In this variable of `.env`.
    EnvFile(String),
    /// In this environment variable.
    Environment(String),
    /// On the command line.
    Flag(&'static str),
}

impl Origin {
    /// The source without the place in it; `None` for the default.
    pub(super) fn source(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::File(path, _) => Some(path.display().to_string()),
            Self::EnvFile(name) => Some(format!(".env ({name})")),
            Self::Environment(name) => Some(name.clone()),
            Self::Flag(_) => Some("the command line".to_owned()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::EnvFile(name) => write!(f, ".env: {name}"),
            Self::Environment(name) => write!(f, "environment: {name}"),
            Self::Flag(name) => write!(f, "flag: {name}"),
        }
    }
}

/// The defaults, by key.
pub(super) fn defaults() -> Values {
    let table: Table = DEFAULTS
        .parse()
        .expect("config.default.toml is tested to be sound");
    let keys = table
        .into_iter()
        .flat_map(|(section, settings)| match settings {
            Value::Table(settings) => settings
                .into_iter()
                .map(|(name, value)| (format!("{section}.{name}"), value))
                .collect::<Vec<_>>(),
            value => vec![(section, value)],
        });
    keys.map(|(key, value)| {
        (
            key,
            Found {
                value,
                origin: Origin::Default,
            },
        )
    })
    .collect()
}

/// Every key, in the order of `config.default.toml`.
pub fn keys() -> Vec<String> {
    let table = DeTable::parse(DEFAULTS).expect("config.default.toml is tested to be sound");
    let mut keys: Vec<(usize, String)> = Vec::new();
    for (section, settings) in table.get_ref() {
        for name in settings
            .get_ref()
            .as_table()
            .into_iter()
            .flat_map(DeTable::keys)
        {
            let key = format!("{}.{}", section.get_ref(), name.get_ref());
            keys.push((name.span().start, key));
        }
    }
    keys.sort_unstable();
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Puts a value under its key; that of a `_file` twin is what the file holds.
pub(super) fn insert(
    key: &str,
    value: Value,
    origin: Origin,
    defaults: &Values,
    values: &mut Values,
) -> Result<(), Exit> {
    if defaults.contains_key(key) {
        values.insert(key.to_owned(), Found { value, origin });
        return Ok(());
    }
    let secret = key
        .strip_suffix("_file")
        .filter(|key| SECRETS.contains(key));
    let (Some(secret), Some(path)) = (secret, value.as_str()) else {
        return Err(unknown(key, &origin, defaults));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("Cannot read the file {path} that {key} names ({origin}).");
        Exit::new(
            Code::Configuration,
            &what,
            error,
            "name a file that this user may read.",
        )
    })?;
    let value = Value::String(text.trim_end().to_owned());
    values.insert(secret.to_owned(), Found { value, origin });
    Ok(())
}

/// The refusal of a key that no setting has.
pub(super) fn unknown(key: &str, origin: &Origin, defaults: &Values) -> Exit {
    let nearest = defaults
        .keys()
        .max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)))
        .expect("there are settings");
    Exit::new(
        Code::Configuration,
        &format!("Unknown setting `{key}` ({origin})."),
        format!("no setting has this name; did you mean `{nearest}`?"),
        "correct or remove that line; `orderd config show` prints every setting.",
    )
}

/// The environment variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("ORDERD_{}", key.replace('.', "_").to_uppercase())
}

/// Text as the type that the default has; what cannot be one stays text, and is refused as such.
pub(super) fn coerce(default: &Value, text: &str) -> Value {
    let typed = match default {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Boolean(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Some(Value::Boolean(false)),
            _ => None,
        },
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Keys as a file has them: a table each section.
pub(super) fn table(values: &Values) -> Table {
    let mut table = Table::new();
    for (key, found) in values {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let section = table
            .entry(section)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(name.to_owned(), found.value.clone());
        }
    }
    table
}

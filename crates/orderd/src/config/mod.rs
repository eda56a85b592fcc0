//! The configuration: from flags, environment, files and defaults to [`Settings`].
//!
//! `config.default.toml` is the one list of settings; names of environment variables, the check
//! for unknown keys and `orderd config` follow from it. A value is looked for in the sources from
//! the strongest to the weakest, and remembers where it was found.

pub(crate) mod command;
mod settings;
mod sources;

pub(crate) use settings::{Anonymous, Fulfil, LogFormat, Settings, parse_duration};

use crate::Globals;
use crate::exit::{Code, Exit};
use serde::Deserialize;
use sources::Sources;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// Every setting, its default, a comment each.
pub(crate) const DEFAULTS: &str = include_str!("../../../../config.default.toml");

/// Settings whose value nobody may see, and that can be kept in a file of their own.
const SECRETS: [&str; 2] = ["admin.password", "database.url"];

/// Names from outside that stand for a setting: those that users of the older systems, and of
/// Rust programs, know.
const ALIASES: [(&str, &str); 5] = [
    ("ORDERD_LISTEN", "server.listen"),
    ("DATABASE_URL", "database.url"),
    ("PORT", "server.listen"),
    ("ADMIN_PASSWORD", "admin.password"),
    ("RUST_LOG", "log.level"),
];

/// Variables that begin with `ORDERD_` and are no settings: the client's, and those that
/// Kubernetes sets for a Service called orderd.
const NOT_SETTINGS: [&str; 3] = ["ORDERD_URL", "ORDERD_PORT", "ORDERD_SERVICE_"];

/// The configuration, ready to use.
#[derive(Debug)]
pub(crate) struct Config {
    /// The settings.
    pub(crate) settings: Settings,
    /// What they were made from, by key.
    pub(crate) values: BTreeMap<String, Found>,
    /// What is odd about it, though it can be used.
    pub(crate) warnings: Vec<String>,
}

/// A value and where it was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The value.
    pub(crate) value: Value,
    /// Where it was found.
    pub(crate) origin: Origin,
}

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
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

impl Config {
    /// The sources that say anything, for people.
    pub(crate) fn origins(&self) -> String {
        let mut names: Vec<String> = self
            .values
            .values()
            .filter_map(|found| source(&found.origin))
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            "defaults".to_owned()
        } else {
            names.join(", ")
        }
    }
}

fn source(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Default => None,
        Origin::File(path, _) => Some(path.display().to_string()),
        Origin::EnvFile(name) => Some(format!(".env ({name})")),
        Origin::Environment(name) => Some(name.clone()),
        Origin::Flag(name) => Some((*name).to_owned()),
    }
}

/// A key as a flag sets it: the flag's name, the key, the value.
pub(crate) type Flag = (&'static str, &'static str, String);

/// Reads the configuration of this process.
///
/// # Errors
/// An [`Exit`] of code 3 that says where, what, why and how to mend it.
pub(crate) fn load(globals: &Globals, flags: Vec<Flag>) -> anyhow::Result<Config> {
    resolve(&sources::gather(globals, flags)?)
}

fn resolve(sources: &Sources) -> anyhow::Result<Config> {
    let defaults = defaults();
    let mut values = defaults.clone();
    // From the weakest to the strongest: what comes later replaces what came before.
    for file in sources.files.iter().rev() {
        values.extend(from_file(&file.path, &file.text, &defaults)?);
    }
    for (variables, origin) in [
        (&sources.env_file, Origin::EnvFile as fn(String) -> Origin),
        (&sources.environment, Origin::Environment),
    ] {
        from_aliases(variables, origin, &mut values)?;
        from_variables(variables, origin, &mut values)?;
    }
    for (flag, key, value) in &sources.flags {
        let value = coerce(&defaults[*key].value, value);
        values.insert(
            (*key).to_owned(),
            Found {
                value,
                origin: Origin::Flag(flag),
            },
        );
    }
    let settings = typed(&values, &defaults)?;
    let warnings = warnings(sources, &defaults, &settings);
    Ok(Config {
        settings,
        values,
        warnings,
    })
}

/// The defaults, by key.
fn defaults() -> BTreeMap<String, Found> {
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

fn from_file(
    path: &Path,
    text: &str,
    defaults: &BTreeMap<String, Found>,
) -> anyhow::Result<BTreeMap<String, Found>> {
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

/// Puts a value under its key; that of a `_file` twin is what the file holds.
fn insert(
    key: &str,
    value: Value,
    origin: Origin,
    defaults: &BTreeMap<String, Found>,
    values: &mut BTreeMap<String, Found>,
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

fn unknown(key: &str, origin: &Origin, defaults: &BTreeMap<String, Found>) -> Exit {
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

/// The names that the older systems' users know; an own name of the same strength is stronger.
fn from_aliases(
    variables: &BTreeMap<String, String>,
    origin: fn(String) -> Origin,
    values: &mut BTreeMap<String, Found>,
) -> Result<(), Exit> {
    if let [Some(user), Some(password), Some(host), Some(name)] =
        ["DB_USER", "DB_PASS", "DB_HOST", "DB_NAME"].map(|name| variables.get(name))
    {
        let url = format!("mysql://{user}:{password}@{host}/{name}");
        let found = Found {
            value: Value::String(url),
            origin: origin("DB_HOST".to_owned()),
        };
        values.insert("database.url".to_owned(), found);
    }
    // In reverse, so that the first of two that stand for one setting wins.
    for (name, key) in ALIASES.iter().rev() {
        let Some(text) = variables.get(*name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let text = if *name == "PORT" {
            with_port(text, values)?
        } else {
            text.clone()
        };
        let found = Found {
            value: Value::String(text),
            origin: origin((*name).to_owned()),
        };
        values.insert((*key).to_owned(), found);
    }
    Ok(())
}

/// `PORT` says nothing of the address: that stays as it is.
fn with_port(port: &str, values: &BTreeMap<String, Found>) -> Result<String, Exit> {
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
fn from_variables(
    variables: &BTreeMap<String, String>,
    origin: fn(String) -> Origin,
    values: &mut BTreeMap<String, Found>,
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

/// The environment variable of a setting.
pub(crate) fn variable(key: &str) -> String {
    format!("ORDERD_{}", key.replace('.', "_").to_uppercase())
}

/// Text as the type that the default has; what cannot be one stays text, and is refused as such.
fn coerce(default: &Value, text: &str) -> Value {
    let typed = match default {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Some(Value::Boolean(false)),
            _ => None,
        },
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn typed(
    values: &BTreeMap<String, Found>,
    defaults: &BTreeMap<String, Found>,
) -> Result<Settings, Exit> {
    let error = match table(values).try_into::<Settings>() {
        Ok(settings) => return Ok(settings),
        Err(error) => error,
    };
    // Which value it was is found by putting each alone among the defaults.
    let culprit = values.iter().find_map(|(key, found)| {
        let mut alone = defaults.clone();
        alone.insert(key.clone(), found.clone());
        let error = table(&alone).try_into::<Settings>().err()?;
        Some((key, found, error))
    });
    let (key, found, error) =
        culprit.unwrap_or_else(|| unreachable!("a value is wrong by itself: {error}"));
    let why = if SECRETS.contains(&key.as_str()) {
        "it must be text".to_owned()
    } else {
        error.message().to_owned()
    };
    Err(Exit::new(
        Code::Configuration,
        &format!("Cannot use the value of `{key}` ({}).", found.origin),
        why,
        &format!(
            "write something like {} (the default).",
            defaults[key].value
        ),
    ))
}

fn table(values: &BTreeMap<String, Found>) -> Table {
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

fn warnings(
    sources: &Sources,
    defaults: &BTreeMap<String, Found>,
    settings: &Settings,
) -> Vec<String> {
    let known = |name: &str| {
        let is_key = |key: &str| variable(key) == name || format!("{}_FILE", variable(key)) == name;
        defaults.keys().any(|key| is_key(key))
            || ALIASES.iter().any(|(alias, _)| *alias == name)
            || NOT_SETTINGS.iter().any(|prefix| name.starts_with(prefix))
    };
    let unknown: Vec<&str> = sources
        .environment
        .keys()
        .chain(sources.env_file.keys())
        .map(String::as_str)
        .filter(|name| name.starts_with("ORDERD_") && !known(name))
        .collect();
    let mut warnings = Vec::new();
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        warnings.push(format!(
            "No setting has the name of these environment variables: {names}"
        ));
    }
    if (1..16).contains(&settings.admin.password.len()) {
        warnings.push("admin.password has fewer than 16 characters and can be guessed".to_owned());
    }
    warnings
}

/// The value of a setting as people may see it.
pub(crate) fn shown(key: &str, value: &Value) -> Value {
    match (key, value.as_str()) {
        ("database.url", Some(url)) => Value::String(store::open::redacted(url)),
        (key, Some(text)) if SECRETS.contains(&key) && !text.is_empty() => {
            Value::String("***".to_owned())
        }
        _ => value.clone(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

#[cfg(test)]
mod tests;

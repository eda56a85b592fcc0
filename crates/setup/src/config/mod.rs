//! The configuration: from flags, environment, files and defaults to [`Settings`].
//!
//! `config.default.toml` is the one list of settings; names of environment variables, the check
//! for unknown keys and `orderd config` follow from it. A value is looked for in the sources from
//! the strongest to the weakest, and remembers where it was found.

mod layers;
mod schema;
mod settings;
mod sources;
mod values;

pub use layers::{ALIASES, encoded};
pub use schema::schema;
use settings::Database;
pub use settings::{
    Anonymous, EventFormat, Fulfil, Lambda, LogFormat, PaymentProvider, RateLimit, Server,
    Settings, Shutdown, Switch, parse_duration,
};
pub use sources::{Traces, traces};
pub use values::{DEFAULTS, Values, keys};

use crate::exit::{Code, Exit};
use layers::{from_aliases, from_file, from_variables};
use sources::Sources;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use store::cache::Cache;
use store::open::{Access, Options};
use toml::Value;
use url::Url;
use values::{Found, Origin, SECRETS, coerce, defaults, table, variable};

/// Variables that begin with `ORDERD_` and are no settings: the client's, and those that
/// Kubernetes sets for a Service called orderd.
const NOT_SETTINGS: [&str; 4] = [
    "ORDERD_URL",
    "ORDERD_TOKEN",
    "ORDERD_PORT",
    "ORDERD_SERVICE_",
];

/// The configuration, ready to use.
#[derive(Clone)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// What they were made from, by key.
    pub values: Values,
    /// What is odd about it, though it can be used.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the values: there are secrets among them.
        f.debug_struct("Config").finish_non_exhaustive()
    }
}

impl Config {
    /// Whether somebody chose the value of a key.
    #[must_use]
    pub fn is_chosen(&self, key: &str) -> bool {
        let found = self.values.get(key);
        found.is_some_and(|found| found.origin.source().is_some())
    }

    /// How the configured database is opened; without a cache in front of it.
    #[must_use]
    pub fn store_options(&self, access: Access) -> Options {
        let database = &self.settings.database;
        Options {
            url: database.store_url(),
            access,
            customer_index: database.customer_index,
            cache: Arc::new(Cache::off()),
        }
    }

    /// The sources that say anything, for people.
    #[must_use]
    pub fn origins(&self) -> String {
        let mut names: Vec<String> = self
            .values
            .values()
            .filter_map(|found| found.origin.source())
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

/// Which files are read.
#[derive(Clone, Debug)]
pub struct Files {
    /// The configuration file, and no other; `None` for those that are found.
    pub config: Option<PathBuf>,
    /// Whether `.env` in the current directory is read as well.
    pub env_file: bool,
}

/// A key as a flag sets it: the flag's name, the key, the value.
pub type Flag = (&'static str, &'static str, String);

/// Reads the configuration of this process.
///
/// # Errors
/// An [`Exit`] of code 3 that says where, what, why and how to mend it.
pub fn load(files: impl Into<Files>, flags: Vec<Flag>) -> anyhow::Result<Config> {
    resolve(&sources::gather(&files.into(), flags)?)
}

/// The access token that the environment has for the commands that ask a server.
///
/// # Errors
/// Where a source of the configuration cannot be read.
pub fn token(files: impl Into<Files>) -> anyhow::Result<Option<String>> {
    let sources = sources::gather(&files.into(), Vec::new())?;
    let found = [&sources.environment, &sources.env_file]
        .into_iter()
        .find_map(|variables| variables.get("ORDERD_TOKEN"));
    Ok(found.filter(|token| !token.is_empty()).cloned())
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
    let mut settings = typed(&values, &defaults)?;
    if !settings.database.password.is_empty() {
        settings.database.url = with_password(&settings.database, &values)?;
    }
    let warnings = warnings(sources, &defaults, &settings);
    Ok(Config {
        settings,
        values,
        warnings,
    })
}

fn typed(values: &Values, defaults: &Values) -> Result<Settings, Exit> {
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

/// The URL of the database with the password that stands by itself.
fn with_password(database: &Database, values: &Values) -> Result<String, Exit> {
    let refusal = |why: &str| {
        let origin = &values["database.password"].origin;
        Exit::new(
            Code::Configuration,
            &format!("Cannot use the value of `database.password` ({origin})."),
            why,
            "unset it, or set database.url to postgres://USER@HOST:5432/DATABASE",
        )
    };
    let parsed = Url::parse(&database.url).ok();
    let mut url = parsed
        .filter(|url| url.has_host() && url.scheme() != "dynamodb")
        .ok_or_else(|| refusal("the database of database.url has no users with passwords"))?;
    if url.username().is_empty() {
        return Err(refusal("database.url names no user"));
    }
    url.set_password(Some(&database.password))
        .expect("a URL with a host may have one");
    Ok(url.into())
}

fn warnings(sources: &Sources, defaults: &Values, settings: &Settings) -> Vec<String> {
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
#[must_use]
pub fn shown(key: &str, value: &Value) -> Value {
    match (key, value.as_str()) {
        (
            "database.url" | "cache.redis_url" | "payments.api_url" | "inventory.api_url",
            Some(url),
        ) => Value::String(store::open::redacted(url)),
        (key, Some(text)) if SECRETS.contains(&key) && !text.is_empty() => {
            Value::String("***".to_owned())
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests;

//! Where values come from: files and the environment, read into plain text, judged by nobody yet.
//!
//! The one place of the program that reads environment variables.

use super::Files;
use crate::exit::{Code, Exit};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// All that was found, unjudged.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// What the command line says: flag, key, value.
    pub(super) flags: Vec<(&'static str, &'static str, String)>,
    /// The environment.
    pub(super) environment: BTreeMap<String, String>,
    /// What `.env` adds to it.
    pub(super) env_file: BTreeMap<String, String>,
    /// The configuration files that exist, the strongest first.
    pub(super) files: Vec<File>,
}

/// A configuration file.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) text: String,
}

/// Reads every source there is.
pub(super) fn gather(
    which: &Files,
    flags: Vec<(&'static str, &'static str, String)>,
) -> anyhow::Result<Sources> {
    let environment = environment();
    let env_file = if which.env_file {
        read(Path::new(".env"))?
    } else {
        None
    };
    let files = match &which.config {
        Some(path) => vec![required(path)?],
        None => found(&environment)?,
    };
    let env_file = env_file
        .map(|file| parse_env(&file.text))
        .unwrap_or_default();
    Ok(Sources {
        flags,
        environment,
        env_file,
        files,
    })
}

fn environment() -> BTreeMap<String, String> {
    // `vars` would panic at a variable that is not UTF-8; such a one cannot be ours.
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What the environment says of traces, in the words of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Whether it says what this service is called.
    pub is_named: bool,
}

/// Whether somebody collects traces, who is named in the environment; `None`: nobody does.
#[must_use]
pub fn traces() -> Option<Traces> {
    wanted(|name| env::var_os(name)?.into_string().ok())
}

pub(super) fn wanted(variable: impl Fn(&str) -> Option<String>) -> Option<Traces> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let is = |name, word: &str| variable(name).is_some_and(|it| it.eq_ignore_ascii_case(word));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
    let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut attributes = attributes.split(',').map(str::trim);
    let is_named = variable("OTEL_SERVICE_NAME").is_some()
        || attributes.any(|it| it.starts_with("service.name="));
    Some(Traces { is_named })
}

fn required(path: &Path) -> anyhow::Result<File> {
    let missing = || {
        Exit::new(
            Code::Configuration,
            &format!("Cannot read the configuration file {}.", path.display()),
            "there is no such file",
            "correct --config, or leave it out; `orderd config init` writes a file to start from.",
        )
    };
    Ok(read(path)?.ok_or_else(missing)?)
}

fn found(environment: &BTreeMap<String, String>) -> anyhow::Result<Vec<File>> {
    let home = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let user = home("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| home("HOME").map(|home| Path::new(home).join(".config")));
    let paths = [
        Some(PathBuf::from("orderd.toml")),
        user.map(|directory| directory.join("orderd/orderd.toml")),
        Some(PathBuf::from("/etc/orderd/orderd.toml")),
    ];
    paths
        .into_iter()
        .flatten()
        .filter_map(|path| read(&path).transpose())
        .collect()
}

fn read(path: &Path) -> anyhow::Result<Option<File>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(File {
            path: path.to_owned(),
            text,
        })),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Exit::new(
            Code::Configuration,
            &format!("Cannot read {}.", path.display()),
            error,
            "make it a text file that this user may read.",
        )
        .into()),
    }
}

/// Reads `NAME=value` lines: with or without `export`, quotes, and `#` comments.
pub(super) fn parse_env(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(parse_env_line).collect()
}

fn parse_env_line(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        value
            .strip_prefix(quote)?
            .split_once(quote)
            .map(|(inside, _)| inside)
    });
    let bare = value
        .split_once(" #")
        .map_or(value, |(value, _)| value.trim_end());
    Some((name.trim().to_owned(), quoted.unwrap_or(bare).to_owned()))
}

//! Other people's code: its licences, its sources, and no crate twice. The lists are deny.toml's;
//! cargo-deny reads the same ones and is asked as well where it is installed.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::finish;

/// How the source of a package begins that came from the registry, not from a repository or a URL.
const REGISTRY: &str = "registry+";

/// Checks everything in Cargo.lock.
pub(crate) fn run(root: &Path) -> Result<()> {
    let policy: toml::Table = fs::read_to_string(root.join("deny.toml"))?.parse()?;
    let found = problems(&packages(root)?, &Policy::read(&policy)?);
    for problem in &found {
        println!("{problem}");
    }
    ensure!(found.is_empty(), "{} to mend", found.len());
    cargo_deny(root)
}

fn cargo_deny(root: &Path) -> Result<()> {
    let version = Command::new(env!("CARGO"))
        .args(["deny", "--version"])
        .output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("NOT RUN: cargo-deny is not installed; licences, sources and duplicates were");
        println!(
            "checked here, advisories were not. To have it: cargo install --locked cargo-deny"
        );
        return Ok(());
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
    finish(command.current_dir(root))
}

/// What deny.toml says.
struct Policy {
    licences: Vec<String>,
    denied: Vec<String>,
    /// `name@version` or `name@major`.
    may_be_twice: Vec<String>,
}

impl Policy {
    fn read(policy: &toml::Table) -> Result<Self> {
        let list = |table: &str, key: &str| {
            let list = policy
                .get(table)
                .and_then(|table| table.get(key)?.as_array());
            list.with_context(|| format!("deny.toml has no list {key} in [{table}]"))
        };
        let crates = |list: &[toml::Value]| {
            list.iter()
                .filter_map(|entry| Some(entry.get("crate")?.as_str()?.into()))
                .collect()
        };
        let licences = list("licenses", "allow")?.iter();
        Ok(Self {
            licences: licences
                .filter_map(|entry| Some(entry.as_str()?.into()))
                .collect(),
            denied: crates(list("bans", "deny")?),
            may_be_twice: crates(list("bans", "skip")?),
        })
    }
}

/// A crate as `cargo metadata` tells of it.
struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    /// `None` for our own.
    source: Option<String>,
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ]);
    let output = command
        .current_dir(root)
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"]
        .as_array()
        .context("no packages in cargo metadata")?;
    packages
        .iter()
        .map(|package| {
            Ok(Package {
                name: text(&package["name"]).context("a package without a name")?,
                version: text(&package["version"]).context("a package without a version")?,
                licence: text(&package["license"]),
                source: text(&package["source"]),
            })
        })
        .collect()
}

fn problems(packages: &[Package], policy: &Policy) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Package {
        name,
        version,
        licence,
        source,
    } in packages
    {
        let licence = licence.as_deref().unwrap_or("none");
        if !permitted(licence, &policy.licences) {
            problems.push(format!(
                "Cargo.lock: {name} {version} has the licence {licence:?}, which deny.toml does not \
                 allow\n    fix: use another crate, or allow the licence if it is a permissive one"
            ));
        }
        if source
            .as_deref()
            .is_some_and(|source| !source.starts_with(REGISTRY))
        {
            problems.push(format!(
                "Cargo.lock: {name} {version} is not from the registry\n    fix: use a released version"
            ));
        }
        if policy.denied.contains(name) {
            problems.push(format!(
                "Cargo.lock: {name} is banned, deny.toml says why\n    fix: switch off the feature \
                 that needs it (cargo tree -i {name})"
            ));
        }
        if !policy
            .may_be_twice
            .iter()
            .any(|skip| skipped(skip, name, version))
        {
            versions.entry(name).or_default().push(version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    problems.extend(versions.iter().map(|(name, versions)| {
        format!(
            "Cargo.lock: {name} is there more than once: {}\n    fix: bring the users of one to the \
             version of the other, or skip it in deny.toml with a reason",
            versions.join(", ")
        )
    }));
    problems
}

/// Whether `skip`, which is `name@version` or the beginning of it, stands for this crate.
fn skipped(skip: &str, name: &str, version: &str) -> bool {
    let (skipped, begins) = skip.split_once('@').unwrap_or((skip, ""));
    let rest = version.strip_prefix(begins);
    skipped == name
        && rest.is_some_and(|rest| begins.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

/// Whether an SPDX expression can be met with `allowed` licences alone. `OR` binds less than `AND`;
/// the `/` of old manifests is an `OR`.
fn permitted(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = all_of(words, allowed);
    while take(words, "OR") {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while take(words, "AND") {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &[String]) -> bool {
    if take(words, "(") {
        return any_of(words, allowed) & take(words, ")");
    }
    let Some((licence, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if take(words, "WITH") {
        // An exception is part of the name: none is on the list.
        *words = words.get(1..).unwrap_or_default();
        return false;
    }
    allowed.iter().any(|allowed| allowed == licence)
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let taken = words.first() == Some(&word);
    if taken {
        *words = &words[1..];
    }
    taken
}

#[cfg(test)]
mod tests;

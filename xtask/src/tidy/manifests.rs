//! What a `Cargo.toml` may say: which crates it may depend on, and that versions are the root's.

use super::{Package, Violation};
use anyhow::{Context, Result};
use toml::{Table, Value};

/// Our crates, and which of the others each may use.
const EDGES: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("worker", &["store", "domain"]),
    ("api", &["store", "domain"]),
    ("setup", &["worker", "store", "domain"]),
    ("lambda", &["setup", "worker", "store", "domain"]),
    ("orderd", &["setup", "api", "worker", "store", "domain"]),
    ("xtask", &[]),
];

/// Crates that have one home. A name that ends in `*` stands for all that begin so.
const HOMES: [(&[&str], &[&str]); 5] = [
    (
        &[
            "rusqlite",
            "libsqlite3-sys",
            "sqlx*",
            "postgres*",
            "tokio-postgres",
            "mysql*",
            "aws-sdk-dynamodb",
            "redis",
        ],
        &["store"],
    ),
    (
        &["aws-sdk-sqs", "aws-sdk-sns", "reqwest", "ureq"],
        &["worker"],
    ),
    (&["opentelemetry*"], &["setup"]),
    (&["axum*", "utoipa-axum"], &["api", "orderd"]),
    (&["anyhow"], &["orderd", "lambda", "setup"]),
];

/// What the rules must not know of: I/O, threads, logs.
const NOT_IN_DOMAIN: [&str; 8] = [
    "tokio*", "axum*", "hyper*", "tower*", "sqlx*", "rusqlite", "aws-*", "tracing*",
];

const TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

pub(super) fn check(package: &Package) -> Result<Vec<Violation>> {
    let text = &package.manifest.text;
    let manifest: Table = text
        .parse()
        .with_context(|| package.manifest.path.clone())?;
    let mut violations = Vec::from_iter(lints(package, &manifest));
    for table in TABLES {
        for (name, value) in manifest
            .get(table)
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            violations.extend(version(package, table, name, value));
            // Tests may start the servers that the chores start for them.
            let starts = table == "dev-dependencies" && name == "xtask";
            violations.extend(edge(package, name).filter(|_| !starts));
            violations.extend(pure_domain(package, name).filter(|_| table == TABLES[0]));
            // Tests may look at the rows themselves, and xtask is no part of the product.
            let ships = table != "dev-dependencies" && package.name != "xtask";
            violations.extend(home(package, name).filter(|_| ships));
        }
    }
    Ok(violations)
}

fn lints(package: &Package, manifest: &Table) -> Option<Violation> {
    let inherited = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    (inherited != Some(&Value::Boolean(true))).then(|| {
        let what = "does not take the lints of the workspace";
        package
            .manifest
            .violation(1, what, "add [lints] workspace = true")
    })
}

/// Tests may switch on more of a crate than what ships has of it.
fn version(package: &Package, table: &str, name: &str, value: &Value) -> Option<Violation> {
    let from_root = value.get("workspace") == Some(&Value::Boolean(true));
    let features = value.get("features").is_some() && table != "dev-dependencies";
    let alters = ["version", "path", "git"]
        .iter()
        .any(|key| value.get(key).is_some());
    (!from_root || alters || features).then(|| {
        let what = format!("{name} has a version or features of its own here");
        violation(
            package,
            name,
            what,
            "name both once in the root Cargo.toml; here `.workspace = true`",
        )
    })
}

fn edge(package: &Package, name: &str) -> Option<Violation> {
    let ours = EDGES.iter().any(|(ours, _)| *ours == name);
    let allowed = EDGES.iter().find(|(from, _)| *from == package.name);
    let allowed = allowed.is_some_and(|(_, to)| to.contains(&name));
    (ours && !allowed).then(|| {
        let fix = "let the data flow the other way: domain ← store ← worker and api ← orderd";
        violation(
            package,
            name,
            format!("{} must not depend on {name}", package.name),
            fix,
        )
    })
}

fn home(package: &Package, name: &str) -> Option<Violation> {
    let (_, homes) = HOMES.iter().find(|(names, _)| listed(names, name))?;
    (!homes.contains(&package.name.as_str())).then(|| {
        let what = format!(
            "{name} belongs in {} only, not in {}",
            homes.join(" and "),
            package.name
        );
        violation(
            package,
            name,
            what,
            "move what needs it there, behind what that crate offers",
        )
    })
}

fn pure_domain(package: &Package, name: &str) -> Option<Violation> {
    (package.name == "domain" && listed(&NOT_IN_DOMAIN, name)).then(|| {
        let what = format!("domain does no I/O and must not depend on {name}");
        violation(
            package,
            name,
            what,
            "take what you need as a parameter, return what is to be done",
        )
    })
}

fn listed(names: &[&str], name: &str) -> bool {
    names.iter().any(|listed| match listed.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *listed == name,
    })
}

fn violation(package: &Package, name: &str, what: String, fix: &'static str) -> Violation {
    let is_named = |line: &str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    let line = package
        .manifest
        .text
        .lines()
        .position(is_named)
        .map_or(1, |position| position + 1);
    package.manifest.violation(line, what, fix)
}

//! For every rule a planted violation that it must catch.

use super::check;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const MANIFEST: &str = "[lints]\nworkspace = true\n\n[dependencies]\n";
const HEAD: &str = "//! What it is for.\n";

/// A workspace with one crate of one file.
fn workspace(name: &str, dependencies: &str, source: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write(
        &root.path().join(format!("crates/{name}/Cargo.toml")),
        &format!("{MANIFEST}{dependencies}"),
    );
    write(
        &root.path().join(format!("crates/{name}/src/lib.rs")),
        source,
    );
    root
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What is said of it, without the fixes.
fn said(root: &TempDir) -> Vec<String> {
    let violations = check(root.path()).unwrap();
    violations
        .iter()
        .map(|violation| violation.to_string().lines().next().unwrap().into())
        .collect()
}

fn dependency(name: &str, line: &str, expected: &[&str]) {
    let root = workspace(name, line, HEAD);
    assert_eq!(said(&root), expected, "{name}: {line}");
}

fn source(name: &str, code: &str, expected: &[&str]) {
    let root = workspace(name, "", &format!("{HEAD}{code}"));
    assert_eq!(said(&root), expected, "{name}: {code}");
}

#[test]
fn crates_use_each_other_in_one_direction() {
    let caught = "crates/domain/Cargo.toml:5: domain must not depend on store";
    dependency("domain", "store.workspace = true", &[caught]);
    let caught = "crates/api/Cargo.toml:5: api must not depend on worker";
    dependency("api", "worker.workspace = true", &[caught]);
    let caught = "crates/worker/Cargo.toml:5: worker must not depend on api";
    dependency("worker", "api.workspace = true", &[caught]);
    dependency(
        "api",
        "store.workspace = true\ndomain.workspace = true",
        &[],
    );
}

#[test]
fn the_domain_does_no_io() {
    let caught = "crates/domain/Cargo.toml:5: domain does no I/O and must not depend on tracing";
    dependency("domain", "tracing.workspace = true", &[caught]);
    dependency("domain", "uuid.workspace = true", &[]);
}

#[test]
fn drivers_http_and_anyhow_have_their_homes() {
    let check = |name: &str, what: &str, caught: &str| {
        let caught = format!("crates/{name}/Cargo.toml:5: {caught}, not in {name}");
        dependency(name, &format!("{what}.workspace = true"), &[&caught]);
    };
    check("orderd", "rusqlite", "rusqlite belongs in store only");
    check("orderd", "sqlx", "sqlx belongs in store only");
    check("store", "reqwest", "reqwest belongs in worker only");
    check(
        "api",
        "opentelemetry",
        "opentelemetry belongs in setup only",
    );
    check("store", "axum", "axum belongs in api and orderd only");
    check(
        "api",
        "anyhow",
        "anyhow belongs in orderd and lambda and setup only",
    );
    dependency(
        "orderd",
        "\n[dev-dependencies]\nrusqlite.workspace = true",
        &[],
    );
}

#[test]
fn versions_are_named_in_the_root() {
    let caught = "crates/api/Cargo.toml:5: serde has a version or features of its own here";
    dependency("api", "serde = \"1\"", &[caught]);
    dependency(
        "api",
        "serde = { workspace = true, features = [\"rc\"] }",
        &[caught],
    );
    dependency("api", "serde = { workspace = true, optional = true }", &[]);
    let more_for_tests = "\n[dev-dependencies]\nserde = { workspace = true, features = [\"rc\"] }";
    dependency("api", more_for_tests, &[]);
}

#[test]
fn the_lints_of_the_workspace_hold_everywhere() {
    let root = workspace("api", "", HEAD);
    write(&root.path().join("crates/api/Cargo.toml"), "");
    assert_eq!(
        said(&root),
        ["crates/api/Cargo.toml:1: does not take the lints of the workspace"]
    );
}

#[test]
fn a_file_says_what_it_is_for() {
    let root = workspace("api", "", "use std::fmt;\n");
    assert_eq!(
        said(&root),
        ["crates/api/src/lib.rs:1: no word about what this file is for"]
    );
}

#[test]
fn a_file_is_read_in_one_sitting() {
    source("api", &"\n".repeat(599), &[]);
    let caught = "crates/api/src/lib.rs:600: 601 lines, where 600 are the most";
    source("api", &"\n".repeat(600), &[caught]);
}

#[test]
fn the_contract_tag_is_read_in_api_alone() {
    let caught = "crates/store/src/lib.rs:2: the contract tag is read outside api";
    source(
        "store",
        "const RECEIPT: Contract = Contract(1);\n",
        &[caught],
    );
    source("store", "if order.contract == other {}\n", &[caught]);
    source("store", "match order.contract {\n", &[caught]);
    source("store", "contract: Contract(row.get(3)?),\n", &[]);
    source("api", "const RECEIPT: Contract = Contract(1);\n", &[]);
}

#[test]
fn typed_errors_stay_typed() {
    let caught = "crates/store/src/lib.rs:2: anyhow in store";
    source("store", "fn open() -> anyhow::Result<()>;\n", &[caught]);
    source("orderd", "fn open() -> anyhow::Result<()>;\n", &[]);
}

#[test]
fn sql_is_written_out() {
    let caught = "crates/store/src/lib.rs:2: SQL glued together from strings";
    source(
        "store",
        "let sql = format!(\"select {column} from orders\");\n",
        &[caught],
    );
    source(
        "store",
        "let sql = format!(\n    \"delete from {table}\",\n);\n",
        &[caught],
    );
    source("store", "sql.push_str(\" With x as (\");\n", &[caught]);
    source("store", "let text = format!(\"selection {n}\");\n", &[]);
    source("store", "run(\"select 1\");\n", &[]);
}

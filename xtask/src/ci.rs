//! All that a change must pass, step after step. What a step looks for is in its own file or in
//! the tool that it calls.

use crate::compiled::{self, Program, cargo};
use crate::promises::Promises;
use crate::{checks, supply, tidy};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use xtask::finish;
use xtask::servers::{Extent, Servers};

type Step = (&'static str, fn(&Path) -> Result<()>);

/// What is quick to say no.
const FIRST: [Step; 5] = [
    ("fmt", |root| {
        finish(cargo(root).args(["fmt", "--all", "--check"]))
    }),
    ("tidy", tidy::run),
    ("deny", supply::run),
    ("clippy", clippy),
    ("build", |root| compiled::all(root).map(drop)),
];
/// What is run with what was built, beside the checks that are patient.
const THEN: [Step; 3] = [
    ("test", |root| test(root, &["--all".to_owned()])),
    ("doc", doc),
    ("checks", checks::prompt),
];

/// What is the same wherever orders are, or can be tried in a file only.
const ONLY_A_FILE: [&str; 4] = ["generated::", "in_a_file::", "process::", "supervised::"];
/// What can be tried only where processes share a database.
const ONLY_SHARED: [&str; 4] = [
    "messages::",
    "on_a_server::",
    "on_dynamodb::",
    "on_queues::",
];
/// What can be tried only on AWS.
const ONLY_AWS: [&str; 3] = ["messages::", "on_dynamodb::", "on_queues::"];
/// What looks at rows by SQL, or damages them so; and what is more than an emulator, which does one
/// thing at a time, gets done while a test waits.
const NOT_EMULATED: [&str; 13] = [
    "basket::the_list_has_a_bound",
    "cli::a_reset_removes",
    "cli::every_load",
    "cli::reads_and_writes_are_benched",
    "cli::seeding_again",
    "crash::",
    "dead_letters::what_cannot_be_worked_on",
    "freshness::",
    "on_a_server::many::of_many_buyers",
    "on_a_server::many::orders_of_two_servers",
    "on_a_server::restarts::",
    "saga::",
    "soak::",
];

/// What commits side by side, which ends some of moto's threads.
const SIDE_BY_SIDE: [&str; 5] = [
    "a_refused_write_set_takes_no_neighbour",
    "of_two_processes",
    "orders_are_listed_newest_first",
    "what_is_stale_among_others",
    "write_sets_at_once",
];

/// Where the function of AWS Lambda is for the tests, zipped.
pub(crate) const FUNCTION: &str = "target/function/function.zip";

/// Runs every step, also after one failed, and prints a table of them.
pub(crate) fn run(root: &Path) -> Result<()> {
    let begun = Instant::now();
    let mut results: Vec<Ran> = FIRST
        .iter()
        .map(|(name, step)| Ran::of(name, || step(root)))
        .collect();
    let patient = checks::Patient::start()?;
    println!("\nThe patient checks go on beside what follows; they are shown at the end.");
    let then = THEN.map(|(name, step)| Ran::of(name, || step(root)));
    results.extend(then);
    // Last, so that what could not be run is seen.
    results.push(Ran::of("patient checks", || patient.join()));
    summary(&results, begun.elapsed())
}

/// What became of a step.
struct Ran {
    name: &'static str,
    passed: bool,
    took: Duration,
}

impl Ran {
    /// Runs a step.
    fn of(name: &'static str, step: impl FnOnce() -> Result<()>) -> Self {
        println!("\n=== {name}");
        let begun = Instant::now();
        let result = step();
        let took = begun.elapsed();
        if let Err(error) = &result {
            println!("{name}: {error:#}");
        }
        let passed = result.is_ok();
        println!(
            "=== {name}: {} in {:.1} s",
            word(passed),
            took.as_secs_f64()
        );
        Self { name, passed, took }
    }
}

fn summary(results: &[Ran], total: Duration) -> Result<()> {
    println!("\n{:<15} {:<6} {:>9}", "step", "", "seconds");
    for Ran { name, passed, took } in results {
        println!(
            "{name:<15} {:<6} {:>9.1}",
            word(*passed),
            took.as_secs_f64()
        );
    }
    println!("{:<15} {:<6} {:>9.1}", "total", "", total.as_secs_f64());
    let failed: Vec<_> = results
        .iter()
        .filter(|ran| !ran.passed)
        .map(|ran| ran.name)
        .collect();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

const fn word(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

/// Every test of the workspace; those through the front door on every backend. With `--all` a test
/// that cannot run here fails rather than being skipped.
pub(crate) fn test(root: &Path, more: &[String]) -> Result<()> {
    let (all, more): (Vec<&String>, Vec<&String>) = more.iter().partition(|it| *it == "--all");
    let extent = if all.is_empty() {
        Extent::WhatIsThere
    } else {
        Extent::All
    };
    let programs = compiled::all(root)?;
    let front_door_tests = compiled::one(&programs, "orderd", "it")?;
    let servers = Servers::start(extent)?;
    let mut promises = Promises::new(front_door(root)?);
    let mut backends = vec!["sqlite"];
    // Twice the cores: of those at once some are harnesses, which wait for each other's end.
    let at_once = (2 * thread::available_parallelism()?.get()).to_string();
    let mut tests = |backend, mut command: Command, skipped: &[&str], url: Option<&str>| {
        command
            .args(more.iter().filter(|it| **it != "--"))
            .args(skipped.iter().flat_map(|it| ["--skip", it]))
            .envs(servers.variables.iter().cloned())
            .envs(url.map(|url| ("ORDERD_TEST_DATABASE_URL", url)))
            .env("ORDERD_TEST_LAMBDA", root.join(FUNCTION))
            .env("RUST_TEST_THREADS", &at_once);
        promises.run(backend, &mut command)
    };
    let mut everything = cargo(root);
    everything.arg("test").args(compiled::ALL).arg("--");
    let mut results = vec![tests("sqlite", everything, &ONLY_SHARED, None)];
    for (backend, url) in &servers.databases {
        println!("\n=== the front door, with orders in {backend}");
        let mut skipped = ONLY_A_FILE.to_vec();
        if *backend == "dynamodb" {
            zip_function(root)?;
            println!("NOT RUN on an emulator: {}", NOT_EMULATED.join(", "));
            skipped.extend(NOT_EMULATED);
        } else {
            skipped.extend(ONLY_AWS);
        }
        let command = front_door_tests.command();
        results.push(tests(backend, command, &skipped, Some(url)));
        backends.push(backend);
    }
    if !servers.second_opinion.is_empty() {
        println!("\n=== a second opinion on AWS, from moto");
        results.push(second_opinion(&programs, &servers, &mut promises));
    }
    println!("\n{}", promises.table(&backends));
    results.into_iter().collect()
}

/// The contract of a store, and topics and queues, on an emulator that others wrote.
fn second_opinion(programs: &[Program], servers: &Servers, promises: &mut Promises) -> Result<()> {
    println!("NOT RUN on moto: {}", SIDE_BY_SIDE.join(", "));
    let mut tests = |package: &str, which: &str| {
        let mut command = compiled::one(programs, package, "it")?.command();
        command
            .arg(which)
            .args(SIDE_BY_SIDE.iter().flat_map(|it| ["--skip", it]))
            .envs(servers.variables.iter().cloned())
            .envs(servers.second_opinion.iter().cloned())
            .env("ORDERD_TEST_DATABASE_URL", "dynamodb://test")
            // What another test has it do at the same moment ends its threads, too.
            .env("RUST_TEST_THREADS", "1");
        promises.run("dynamodb", &mut command)
    };
    tests("store", "dynamodb::")?;
    tests("orderd", "on_queues::")
}

/// The function of AWS Lambda as it is handed to it: what the tests of the workspace have built,
/// without what only a debugger reads.
pub(crate) fn zip_function(root: &Path) -> Result<()> {
    let zip = root.join(FUNCTION);
    let directory = zip.parent().context("it is in a directory")?;
    fs::create_dir_all(directory)?;
    let program = directory.join("bootstrap");
    let built = root.join("target/debug/bootstrap");
    finish(Command::new("strip").arg("-o").arg(&program).arg(built))?;
    let mut command = Command::new("python3");
    command
        .args(["-m", "zipfile", "-c"])
        .arg(&zip)
        .arg("bootstrap");
    finish(command.current_dir(directory))
}

/// The names of the files of tests that go through the front door.
fn front_door(root: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates/orderd/tests/it"))? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    Ok(names)
}

fn clippy(root: &Path) -> Result<()> {
    let what = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
    ];
    let deny = ["--", "-D", "warnings"];
    finish(cargo(root).args(what).args(deny))?;
    // Without the viewer and without AWS: other code takes their place, which nothing else compiles.
    let bare = [
        "clippy",
        "--package",
        "orderd",
        "--no-default-features",
        "--locked",
    ];
    finish(cargo(root).args(bare).args(deny))
}

/// The reader of these pages works on the code: private items are documented with the rest.
fn doc(root: &Path) -> Result<()> {
    let mut command = cargo(root);
    command.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--document-private-items",
        "--locked",
    ]);
    finish(command.env("RUSTDOCFLAGS", "-D warnings"))
}

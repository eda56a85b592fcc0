//! All that a change must pass, step after step. What a step looks for is in its own file or in
//! the tool that it calls.

use crate::servers::{Extent, Servers};
use crate::{supply, tidy};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

type Step = (&'static str, fn(&Path) -> Result<()>);

const STEPS: [Step; 6] = [
    ("fmt", |root| cargo(root, &["fmt", "--all", "--check"])),
    ("tidy", tidy::run),
    ("deny", supply::run),
    ("clippy", clippy),
    ("test", |root| test(root, &["--all".to_owned()])),
    ("doc", doc),
];

/// Runs every step, also after one failed, and prints a table of them.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut results = Vec::new();
    for (name, step) in STEPS {
        println!("\n=== {name}");
        let begun = Instant::now();
        let result = step(root);
        let took = begun.elapsed();
        if let Err(error) = &result {
            println!("{name}: {error:#}");
        }
        println!(
            "=== {name}: {} in {:.1} s",
            word(result.is_ok()),
            took.as_secs_f64()
        );
        results.push((name, result.is_ok(), took));
    }
    summary(&results)
}

fn summary(results: &[(&str, bool, Duration)]) -> Result<()> {
    println!("\n{:<12} {:<6} {:>9}", "step", "", "seconds");
    for (name, passed, took) in results {
        println!(
            "{name:<12} {:<6} {:>9.1}",
            word(*passed),
            took.as_secs_f64()
        );
    }
    let total: Duration = results.iter().map(|(_, _, took)| took).sum();
    println!("{:<12} {:<6} {:>9.1}", "total", "", total.as_secs_f64());
    let failed: Vec<_> = results
        .iter()
        .filter(|(_, ok, _)| !ok)
        .map(|(name, _, _)| *name)
        .collect();
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

const fn word(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

/// Every test of the workspace. The planted bugs are compiled in, so that the harnesses can show
/// that they catch them; none is on unless `ORDERD_MUTANT` names it. With `--all` a test that cannot
/// run here fails rather than being skipped.
pub(crate) fn test(root: &Path, more: &[String]) -> Result<()> {
    let (all, more): (Vec<&String>, Vec<&String>) = more.iter().partition(|it| *it == "--all");
    let extent = if all.is_empty() {
        Extent::WhatIsThere
    } else {
        Extent::All
    };
    let servers = Servers::start(extent)?;
    let mut arguments = vec![
        "test",
        "--workspace",
        "--locked",
        "--features",
        "orderd/mutants",
    ];
    arguments.extend(more.iter().map(|it| it.as_str()));
    let mut command = Command::new(env!("CARGO"));
    finish(
        command
            .args(arguments)
            .envs(servers.variables.iter().cloned())
            .current_dir(root),
    )
}

fn clippy(root: &Path) -> Result<()> {
    let what = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
    ];
    cargo(root, &[&what[..], &["--", "-D", "warnings"]].concat())
}

/// The reader of these pages works on the code: private items are documented with the rest.
fn doc(root: &Path) -> Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]);
    finish(command.env("RUSTDOCFLAGS", "-D warnings").current_dir(root))
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    finish(
        Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(root),
    )
}

/// Runs a command to its end; its failure is ours.
pub(crate) fn finish(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}

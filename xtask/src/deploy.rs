//! Whether what is in `deploy/` works: each kind of deployment is run here, as far as a machine without
//! a cloud can. A check says what it could not do; with `--all` that is a failure.

mod image;
mod lint;
mod nginx;
mod server;
mod terraform;
mod walkthrough;

use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use xtask::finish;

/// What became of a check.
pub(crate) enum Outcome {
    /// All of it holds; what was measured on the way.
    Holds(String),
    /// It could not be tried here, and why.
    NotRun(String),
}

type Check = (&'static str, fn(&Path) -> Result<Outcome>);

const CHECKS: [Check; 11] = [
    ("dockerfiles", lint::dockerfiles),
    ("compose files", lint::compose),
    ("workflows", lint::workflows),
    ("systemd units", lint::units),
    ("machine's configuration", lint::configuration),
    ("policies", lint::policies),
    ("nginx", nginx::check),
    ("terraform", terraform::check),
    ("terraform on emulators", terraform::apply),
    ("function behind a gateway", terraform::walk),
    ("image", image::check),
];

/// Runs the checks whose names hold one of `arguments`, or all, and prints a table.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let (all, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|it| *it == "--all");
    let wanted = |name: &str| names.is_empty() || names.iter().any(|it| name.contains(*it));
    let mut table = Vec::new();
    for (name, check) in CHECKS.iter().filter(|(name, _)| wanted(name)) {
        println!("--- {name}");
        let begun = Instant::now();
        let outcome = check(root);
        let took = begun.elapsed().as_secs_f64();
        let (word, said) = match &outcome {
            Ok(Outcome::Holds(said)) => ("ok", said.clone()),
            Ok(Outcome::NotRun(why)) => ("NOT RUN", why.clone()),
            Err(error) => {
                println!("{error:#}");
                (
                    "FAILED",
                    error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                )
            }
        };
        table.push((word, format!("{name:<26} {word:<8} {took:>6.1} s  {said}")));
    }
    ensure!(!table.is_empty(), "no check has such a name");
    println!();
    for (_, line) in &table {
        println!("{line}");
    }
    let count = |which: &str| table.iter().filter(|(word, _)| *word == which).count();
    match (count("FAILED"), count("NOT RUN")) {
        (0, 0) => Ok(()),
        (0, _) if all.is_empty() => Ok(()),
        (failed, not_run) => bail!("{failed} failed, {not_run} could not be run"),
    }
}

/// The binary as the tests have it, which they have built, and the function of Lambda beside it.
fn built(root: &Path) -> Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--no-run", "--quiet", "--locked", "--workspace"]);
    command.args(["--features", "orderd/aws,orderd/mutants"]);
    finish(command.current_dir(root))?;
    Ok(root.join("target/debug/orderd"))
}

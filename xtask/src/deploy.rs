//! Whether what is in `deploy/` works: each kind of deployment is run here, as far as a machine without
//! a cloud can. A check says what it could not do; with `--all` that is a failure.

mod image;
mod lint;
mod nginx;
pub(crate) mod server;
mod terraform;
pub(crate) mod walkthrough;

use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use xtask::finish;

/// What became of a check.
pub(crate) enum Outcome {
    /// All of it holds; what was measured on the way.
    Holds(String),
    /// It could not be tried here, and why.
    NotRun(String),
}

type Check = (&'static str, fn(&Path) -> Result<Outcome>);

/// What goes on side by side, since most of it waits: for an emulator, or for a compiler.
const LANES: [&[Check]; 4] = [
    &[
        ("dockerfiles", lint::dockerfiles),
        ("compose files", lint::compose),
        ("workflows", lint::workflows),
        ("systemd units", lint::units),
        ("machine's configuration", lint::configuration),
        ("alerts", lint::alerts),
        ("nginx", nginx::check),
        ("function behind a gateway", terraform::walk),
    ],
    &[
        ("policies", lint::policies),
        ("terraform", terraform::check),
    ],
    &[("terraform on emulators", terraform::apply)],
    &[("image", image::check)],
];
/// Takes ten minutes and more, so it has to be asked for by name.
const LONG: Check = ("release", image::released);

/// Runs the checks whose names hold one of `arguments`, or all, and prints a table.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let (all, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|it| *it == "--all");
    let is_named = |(name, _): &Check| names.iter().any(|it| name.contains(*it));
    let is_wanted = |check: &Check| names.is_empty() || is_named(check);
    let long = Some(LONG).filter(is_named);
    let lines: Vec<Line> = thread::scope(|scope| {
        let lane = |checks: &'static [Check]| {
            scope.spawn(move || -> Vec<Line> {
                let wanted = checks.iter().filter(|check| is_wanted(check));
                wanted.map(|check| Line::of(*check, root)).collect()
            })
        };
        let running: Vec<_> = LANES.into_iter().map(lane).collect();
        let join = |lane: ScopedJoinHandle<'_, Vec<Line>>| lane.join().expect("it does not panic");
        let ended = running.into_iter().flat_map(join);
        ended
            .chain(long.map(|check| Line::of(check, root)))
            .collect()
    });
    ensure!(!lines.is_empty(), "no check has such a name");
    println!();
    for Line {
        name,
        word,
        took,
        said,
    } in &lines
    {
        println!("{name:<26} {word:<8} {:>6.1} s  {said}", took.as_secs_f64());
    }
    let count = |which: &str| lines.iter().filter(|line| line.word == which).count();
    match (count(FAILED), count(NOT_RUN)) {
        (0, 0) => Ok(()),
        (0, _) if all.is_empty() => Ok(()),
        (failed, not_run) => bail!("{failed} failed, {not_run} could not be run"),
    }
}

const FAILED: &str = "FAILED";
const NOT_RUN: &str = "NOT RUN";

/// A line of the table.
struct Line {
    name: &'static str,
    word: &'static str,
    took: Duration,
    said: String,
}

impl Line {
    /// Runs a check.
    fn of((name, check): Check, root: &Path) -> Self {
        println!("--- {name}");
        let begun = Instant::now();
        let outcome = check(root);
        let took = begun.elapsed();
        let (word, said) = match outcome {
            Ok(Outcome::Holds(said)) => ("ok", said),
            Ok(Outcome::NotRun(why)) => (NOT_RUN, why),
            Err(error) => {
                println!("--- {name}: {error:#}");
                (FAILED, "see above".to_owned())
            }
        };
        Self {
            name,
            word,
            took,
            said,
        }
    }
}

/// The binary as the tests have it, which they have built, and the function of Lambda beside it; or the
/// one that `ORDERD_BINARY` names.
pub(crate) fn built(root: &Path) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("ORDERD_BINARY") {
        return Ok(fs::canonicalize(chosen)?);
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--no-run", "--quiet", "--locked", "--workspace"]);
    command.args(["--features", "orderd/aws,orderd/mutants"]);
    finish(command.current_dir(root))?;
    Ok(root.join("target/debug/orderd"))
}

//! Checks of the finished thing, some side by side: most of them wait, for orders, for an emulator or
//! for a compiler.

use crate::{book, browser, deploy, examples, schema_check, vendor};
use anyhow::{Result, bail, ensure};
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Checks that are run one after the other.
pub(crate) type Lane = &'static [Check];

/// What users meet.
const USED: [Lane; 3] = [
    &[("dashboard", |root| holds(browser::run(root, &[])))],
    &[
        ("book", |root| holds(book::run(root, &[]))),
        ("examples", |root| holds(examples::run(root, &[]))),
    ],
    &[
        ("viewer of the documents", |root| {
            holds(vendor::run(root, &[]))
        }),
        ("descriptions", |root| holds(schema_check::run(root, &[]))),
    ],
];

/// Everything that is deployed, and everything that users meet.
pub(crate) fn all(root: &Path) -> Result<()> {
    let lanes: Vec<Lane> = USED.into_iter().chain(deploy::LANES).collect();
    run(root, &lanes, None, &[])
}

fn holds(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Holds(String::new()))
}

/// What became of a check.
pub(crate) enum Outcome {
    /// All of it holds; what was measured on the way.
    Holds(String),
    /// It could not be tried here, and why.
    NotRun(String),
}

/// A check, by its name.
pub(crate) type Check = (&'static str, fn(&Path) -> Result<Outcome>);

/// Runs what is in `lanes` side by side, as far as its names hold one of `arguments`, or all; and
/// `long`, if a name asks for it. Prints a table.
pub(crate) fn run(
    root: &Path,
    lanes: &[Lane],
    long: Option<Check>,
    arguments: &[String],
) -> Result<()> {
    let (all, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|it| *it == "--all");
    let is_named = |(name, _): &Check| names.iter().any(|it| name.contains(*it));
    let is_wanted = |check: &Check| names.is_empty() || is_named(check);
    let long = long.filter(is_named);
    let table: Vec<Line> = thread::scope(|scope| {
        let lane = |checks: Lane| {
            scope.spawn(move || -> Vec<Line> {
                let wanted = checks.iter().filter(|check| is_wanted(check));
                wanted.map(|check| Line::of(*check, root)).collect()
            })
        };
        let running: Vec<_> = lanes.iter().copied().map(lane).collect();
        let join = |lane: ScopedJoinHandle<'_, Vec<Line>>| lane.join().expect("it does not panic");
        let ended = running.into_iter().flat_map(join);
        ended
            .chain(long.map(|check| Line::of(check, root)))
            .collect()
    });
    ensure!(!table.is_empty(), "no check has such a name");
    println!();
    for Line {
        name,
        word,
        took,
        said,
    } in &table
    {
        println!("{name:<26} {word:<8} {:>6.1} s  {said}", took.as_secs_f64());
    }
    let count = |which: &str| table.iter().filter(|line| line.word == which).count();
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

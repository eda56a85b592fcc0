//! Checks of the finished thing, some side by side: most of them wait, for orders, for an emulator or
//! for a compiler.
//!
//! Some are patient: however slow the machine, they say the same. `ci` starts those before the tests and
//! joins them at its end; at the lowest priority they take what the tests leave, which is a quarter. (What
//! compiles is not among them: it writes so much that databases wait.)

use crate::{book, browser, deploy, examples, schema_check, vendor};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use xtask::tools::below_target;

/// Checks that are run one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Lane {
    checks: &'static [Check],
    is_patient: bool,
}

impl Lane {
    /// These wait for answers that are to come in time.
    pub(crate) const fn prompt(checks: &'static [Check]) -> Self {
        Self {
            checks,
            is_patient: false,
        }
    }

    /// These may be as slow as they like.
    pub(crate) const fn patient(checks: &'static [Check]) -> Self {
        Self {
            checks,
            is_patient: true,
        }
    }
}

/// What users meet.
const USED: [Lane; 3] = [
    Lane::prompt(&[("dashboard", |root| holds(browser::run(root, &[])))]),
    Lane::prompt(&[
        ("book", |root| holds(book::run(root, &[]))),
        ("examples", |root| holds(examples::run(root, &[]))),
    ]),
    Lane::patient(&[
        ("viewer of the documents", |root| {
            holds(vendor::run(root, &[]))
        }),
        ("descriptions", |root| holds(schema_check::run(root))),
    ]),
];
const USAGE: &str = "Usage: cargo xtask checks [--patient]";

/// Everything that is deployed, and everything that users meet; or what of it is patient.
pub(crate) fn chore(root: &Path, arguments: &[String]) -> Result<()> {
    match arguments {
        [] => of(root, |_| true),
        [patient] if patient == "--patient" => of(root, |lane| lane.is_patient),
        _ => bail!(USAGE),
    }
}

/// What is not patient.
pub(crate) fn prompt(root: &Path) -> Result<()> {
    of(root, |lane| !lane.is_patient)
}

fn of(root: &Path, is_wanted: impl Fn(&Lane) -> bool) -> Result<()> {
    let lanes = USED.into_iter().chain(deploy::LANES).filter(is_wanted);
    run(root, &lanes.collect::<Vec<_>>(), None, &[])
}

/// What is patient, in a process of its own that lets all others go first.
pub(crate) struct Patient {
    process: Child,
    log: PathBuf,
}

impl Patient {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let path = below_target("patient-checks.log");
        let log = File::create(&path)?;
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?);
        command.args(["checks", "--patient"]);
        let process = command.stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self {
            process: process.context("cannot start nice")?,
            log: path,
        })
    }

    /// Waits for its end; shows all that it said.
    pub(crate) fn join(mut self) -> Result<()> {
        let status = self.process.wait()?;
        print!("{}", String::from_utf8_lossy(&fs::read(&self.log)?));
        ensure!(status.success(), "a patient check failed");
        Ok(())
    }
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
        let start = |lane: Lane| {
            scope.spawn(move || -> Vec<Line> {
                let wanted = lane.checks.iter().filter(|check| is_wanted(check));
                wanted.map(|check| Line::of(*check, root)).collect()
            })
        };
        let running: Vec<_> = lanes.iter().copied().map(start).collect();
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

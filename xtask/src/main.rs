//! The chores of orderd's developers, one sub-command each; `ci` runs all that a change must pass.

mod bench;
mod book;
mod browser;
mod checks;
mod ci;
mod compiled;
mod deploy;
mod examples;
mod locust;
mod promises;
mod schema_check;
mod supply;
mod tidy;
mod vendor;

use anyhow::{Result, bail};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <chore>
  ci            all that a change must pass: what .ci/run and GitHub run
  test [ARGS]   every test, harnesses included, on every backend; ARGS go to the tests: names,
                `--skip NAME`; with --all what cannot run here is a failure
  bench [ARGS]  how fast it is, beside the ceilings; written to bench/results
  locust        the load that users of the older systems put on them; written to bench/results
  deploy-check [ARGS]  whether what is in deploy/ works; ARGS are names of checks, `release` among
                them, which compiles as a release does; with --all what cannot run is a failure
  ui-check [WORDS]  the dashboard in a real browser; WORDS are parts of the names of checks
  examples [ARGS]  whether the clients and receivers in examples/ keep their promises; ARGS are words
                of their paths; with --planted also whether planted faults in them are seen
  book [PAGES]  whether every command in README.md and docs/ does what the page says, every link leads
                somewhere, and the book can be built; PAGES are words of their paths
  schema-check  whether the descriptions of the API, of events and of the configuration say what the
                server does; requests are made of them
  vendor [VERSION]  whether the viewer of the documentation is the one that its README names; with
                VERSION fetches that one
  checks [--patient]  the six above, side by side; with --patient what of them may be slow, which `ci`
                runs beside the tests
  tidy          the rules that no compiler holds: dependencies, layout, sources";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a directory of the workspace");
    match arguments
        .split_first()
        .map(|(chore, rest)| (chore.as_str(), rest))
    {
        Some(("ci", [])) => ci::run(root),
        Some(("test", rest)) => ci::test(root, rest),
        Some(("bench", rest)) => bench::run(root, rest),
        Some(("locust", rest)) => locust::run(root, rest),
        Some(("deploy-check", rest)) => deploy::run(root, rest),
        Some(("ui-check", rest)) => browser::run(root, rest),
        Some(("examples", rest)) => examples::run(root, rest),
        Some(("book", rest)) => book::run(root, rest),
        Some(("schema-check", [])) => schema_check::run(root),
        Some(("checks", rest)) => checks::chore(root, rest),
        Some(("vendor", rest)) => vendor::run(root, rest),
        Some(("tidy", [])) => tidy::run(root),
        _ => bail!("not a chore: {:?}\n{USAGE}", arguments.join(" ")),
    }
}

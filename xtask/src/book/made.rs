//! The book as pages for a browser, by mdBook: to `target/book`.

use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use xtask::finish;
use xtask::tools::{below_target, output};

const VERSION: &str = "0.5.4";

/// Makes the book; says how long it took.
pub(super) fn book(root: &Path) -> Result<Duration> {
    let mdbook = mdbook()?;
    let begun = Instant::now();
    let mut build = Command::new(mdbook);
    build.arg("build").arg(root.join("docs")).arg("--dest-dir");
    let said = output(build.arg(below_target("book")))?;
    anyhow::ensure!(!said.contains("WARN"), "{said}");
    Ok(begun.elapsed())
}

/// mdBook, compiled here if it is not there: without its server and its search, a minute on two cores.
fn mdbook() -> Result<PathBuf> {
    let tools = below_target("tools");
    let mdbook = tools.join("bin/mdbook");
    let is_there = || {
        let said = output(Command::new(&mdbook).arg("--version"));
        said.is_ok_and(|it| it.trim().ends_with(VERSION))
    };
    if !is_there() {
        println!("Installing mdbook {VERSION}");
        let mut install = Command::new(env!("CARGO"));
        install.args(["install", "mdbook", "--version", VERSION, "--locked"]);
        install.args(["--quiet", "--no-default-features", "--root"]);
        finish(install.arg(&tools))?;
    }
    Ok(mdbook)
}

//! `cargo xtask ui-check`: the dashboard in a real browser, by the checks in `ui-tests/`.

use crate::compiled;
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use xtask::finish;
use xtask::tools::{from_debian, on_path, output};

/// Runs the checks whose names hold one of `words`, or all; with `ORDERD_PICTURES` in the
/// environment, those of the documentation are taken anew.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<()> {
    let program = compiled::orderd(root)?;
    check(root, &program, words)
}

/// Runs the checks with this binary.
pub(crate) fn check(root: &Path, program: &Path, words: &[String]) -> Result<()> {
    // Ubuntu has no package of it, but its machines for workflows have the other one.
    let chromium = match on_path("google-chrome") {
        Some(chrome) => chrome,
        None => from_debian("chromium", &["chromium", "fonts-dejavu-core"])?,
    };
    let npm = from_debian("npm", &["nodejs", "npm"])?;
    let tests = root.join("ui-tests");
    let quietly = ["ci", "--no-audit", "--no-fund", "--silent"];
    output(Command::new(npm).args(quietly).current_dir(&tests))?;
    let mut command = Command::new("node");
    command
        .arg("run.mjs")
        .arg(program)
        .arg(chromium)
        .args(words);
    finish(command.current_dir(&tests))
}

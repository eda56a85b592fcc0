//! Whether what is in `deploy/` works: each kind of deployment is run here, as far as a machine without
//! a cloud can. A check says what it could not do; with `--all` that is a failure.

mod image;
mod lint;
mod nginx;
pub(crate) mod server;
mod terraform;
pub(crate) mod walkthrough;

use crate::checks::{self, Check, Lane, Outcome};
use anyhow::Result;
use std::path::Path;

/// What goes on side by side, since most of it waits: for an emulator, or for a compiler.
pub(crate) const LANES: [Lane; 4] = [
    Lane::prompt(&[
        ("dockerfiles", lint::dockerfiles),
        ("compose files", lint::compose),
        ("workflows", lint::workflows),
        ("systemd units", lint::units),
        ("machine's configuration", lint::configuration),
        ("alerts", lint::alerts),
        ("nginx", nginx::check),
        ("function behind a gateway", terraform::walk),
    ]),
    Lane::patient(&[
        ("policies", lint::policies),
        ("terraform", terraform::check),
    ]),
    Lane::prompt(&[("terraform on emulators", terraform::apply)]),
    Lane::prompt(&[("image", image::check)]),
];
/// Takes ten minutes and more, so it has to be asked for by name.
const LONG: Check = ("release", image::released);

/// Runs the checks whose names hold one of `arguments`, or all, and prints a table.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    checks::run(root, &LANES, Some(LONG), arguments)
}

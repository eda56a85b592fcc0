//! Which parts of a server a process runs.

use setup::config::{Flag, Settings};
use setup::exit::{Code, Exit};
use store::open::locate;

/// A part of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Takes orders and answers.
    Api,
    /// Drives orders to their end and tells webhooks.
    Worker,
}

/// The setting that one role alone stands for.
pub(crate) fn flag(roles: &[Role]) -> Option<Flag> {
    let works = roles.contains(&Role::Worker);
    let alone = works != roles.contains(&Role::Api);
    alone.then(|| ("--roles", "worker.enabled", works.to_string()))
}

/// Processes of a part each share a database; a file has one owner, which does everything.
pub(crate) fn guard(roles: &[Role], settings: &Settings) -> Result<(), Exit> {
    let is_file = locate(&settings.database.url).is_ok_and(|location| location.file().is_some());
    match flag(roles) {
        Some((.., works)) if is_file => Err(Exit::new(
            Code::Configuration,
            &format!(
                "Cannot run the {} alone.",
                if works == "true" { "worker" } else { "API" }
            ),
            "that needs a shared database, and orders are in a file that one process owns.",
            "let one process do everything: orderd serve; or keep orders on a server: \
             --database-url postgres://USER:PASSWORD@HOST:5432/DATABASE",
        )),
        _ => Ok(()),
    }
}

//! `orderd order`: Orders of a running server, from the command line.

use crate::Globals;
use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the sub-command.
pub(crate) async fn run(_args: Args, _globals: &Globals) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not built yet")
}

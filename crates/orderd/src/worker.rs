//! `orderd worker`: drives the orders of a shared database to their end, and listens nowhere.

use crate::Globals;
use crate::serve::{self, Role};
use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where orders are kept: a database server
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

/// Runs the sub-command.
pub(crate) fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let url = args
        .database_url
        .map(|url| ("--database-url", "database.url", url));
    serve::run_roles(&[Role::Worker], url.into_iter().collect(), globals)
}

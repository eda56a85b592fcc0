//! `orderd completions`: a script that completes orderd's commands in a shell.

use clap_complete::Shell;
use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the sub-command.
pub(crate) fn run(args: &Args, cli: &mut clap::Command) -> ExitCode {
    clap_complete::generate(args.shell, cli, "orderd", &mut std::io::stdout());
    ExitCode::SUCCESS
}

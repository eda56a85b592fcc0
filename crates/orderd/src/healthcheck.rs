//! `orderd healthcheck`: whether the server that is configured here is ready, as an exit code.
//!
//! For containers that hold nothing but this binary.

use crate::Globals;
use crate::client::{self, ServerArgs};
use setup::exit::{Code, Exit};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

/// Supervisors give a check a few seconds; who does not answer in this time is not ready.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    let asked = timeout(TIMEOUT, client::send(&server, "GET", "/readyz", &[], b"")).await;
    let (code, why) = match asked {
        Ok(answer) => match answer?.status {
            200 => return Ok(ExitCode::SUCCESS),
            status => (Code::Failed, format!("it answers {status}.")),
        },
        Err(_elapsed) => {
            let why = format!("no answer within {} s.", TIMEOUT.as_secs());
            (Code::Unreachable, why)
        }
    };
    let fix = "wait until it has started or stopped; its log says what keeps it.";
    Err(Exit::new(code, &format!("{} is not ready.", server.url), why, fix).into())
}

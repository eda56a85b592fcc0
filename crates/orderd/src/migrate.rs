//! `orderd migrate`: the schema of the configured database.
//!
//! Opening a database as its owner brings its schema up to date, so `up` is opening and closing;
//! `serve` does the same at its start.

use crate::Globals;
use serde_json::json;
use setup::clock::SystemClock;
use setup::config::{self, Config};
use setup::exit::Exit;
use std::process::ExitCode;
use store::Stats;
use store::open::Access;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Print the version of the schema
    Status,
    /// Bring the schema up to date; no server may be running
    Up,
    /// Say whether this build can use the database as it is
    Check,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = config::load(globals, Vec::new())?;
    let access = match args.verb {
        Verb::Up => Access::Own,
        Verb::Status | Verb::Check => Access::Read,
    };
    let stats = stats(&config, access).await?;
    match args.verb {
        Verb::Check => eprintln!("This build can use {}.", stats.location),
        Verb::Status | Verb::Up if globals.json => {
            println!(
                "{}",
                json!({"location": stats.location, "schema_version": stats.schema_version})
            );
        }
        Verb::Status | Verb::Up => {
            println!(
                "{}: schema version {}",
                stats.location, stats.schema_version
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the configured database, and lets go of it again.
async fn stats(config: &Config, access: Access) -> anyhow::Result<Stats> {
    let store = store::open(&config.store_options(access), &SystemClock)
        .await
        .map_err(Exit::from)?;
    let stats = store.stats().await;
    store.close().await?;
    Ok(stats?)
}

//! `orderd restore`: puts a backup where the configured database is to be.

use crate::Globals;
use serde_json::json;
use setup::config;
use setup::exit::Exit;
use std::path::PathBuf;
use std::process::ExitCode;
use store::open::locate;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A copy that `orderd backup` made
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

/// Runs the sub-command.
pub(crate) fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = config::load(globals, Vec::new())?;
    let url = &config.settings.database.url;
    let location = locate(url).map_err(Exit::from)?;
    store::open::restore(&args.from, &location).map_err(Exit::from)?;
    if globals.json {
        println!("{}", json!({ "restored": url }));
    } else {
        println!("{url} is what {} was.", args.from.display());
        eprintln!("To look at every promise in it: orderd verify");
    }
    Ok(ExitCode::SUCCESS)
}

//! `orderd backup`: a sound copy of the database file, also while a server owns it.

use crate::Globals;
use crate::progress::grouped;
use serde_json::json;
use setup::config;
use setup::exit::Exit;
use std::path::PathBuf;
use std::process::ExitCode;
use store::open::locate;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to put the copy; nothing may be there
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

/// Runs the sub-command.
pub(crate) fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = config::load(globals, Vec::new())?;
    let location = locate(&config.settings.database.url).map_err(Exit::from)?;
    store::open::backup(&location, &args.to).map_err(Exit::from)?;
    let (name, bytes) = (args.to.display().to_string(), args.to.metadata()?.len());
    if globals.json {
        println!("{}", json!({ "file": name, "size_bytes": bytes }));
    } else {
        println!("{name}: {} KB, checked", grouped(bytes.div_ceil(1_000)));
        eprintln!("To look at every promise in it: orderd verify --database-url sqlite:{name}");
    }
    Ok(ExitCode::SUCCESS)
}

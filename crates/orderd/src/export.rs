//! `orderd export`: every order with its events and its movements of money and stock, a line of JSON
//! each, for whoever wants to read them elsewhere. A copy to go on from is made by `orderd backup`.

use crate::Globals;
use crate::verify::{each_page, plural};
use anyhow::Context as _;
use domain::Order;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use setup::clock::SystemClock;
use setup::config;
use setup::exit::Exit;
use std::fs::File;
use std::io::{self, BufWriter, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;
use store::open::Access;

/// Of how many orders the rest is read at once.
const AT_ONCE: usize = 16;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write there instead of to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = config::load(globals, Vec::new())?;
    let options = config.store_options(Access::Read);
    let store = store::open(&options, &SystemClock)
        .await
        .map_err(Exit::from)?;
    let mut out: Box<dyn Write> = match &args.out {
        Some(path) => {
            let file = File::create_new(path);
            let file = file.with_context(|| format!("cannot make the file {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(stdout())),
    };
    let count = match export(&*store, &mut out).await {
        // Whoever reads it has stopped.
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::from(128 + 13)),
        exported => exported?,
    };
    store.close().await?;
    eprintln!("Exported {}.", plural(count, "order"));
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes all orders, the newest first, but those that were deleted from view; how many.
async fn export(store: &dyn Store, out: &mut impl Write) -> anyhow::Result<u64> {
    let mut count = 0;
    each_page(store, async |orders| {
        let lines = orders.iter().map(|order| line(store, order));
        let lines: Vec<String> = stream::iter(lines).buffered(AT_ONCE).try_collect().await?;
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        count += lines.len() as u64;
        Ok(())
    })
    .await?;
    out.flush()?;
    Ok(count)
}

async fn line(store: &dyn Store, order: &Order) -> Result<String, store::Error> {
    let events = store.events(order.id).await?;
    let transfers = store.transfers(order.id).await?;
    Ok(api::exported(order, &events, &transfers))
}

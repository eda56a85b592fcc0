//! `orderd dev`: the whole product with demo orders, in a directory that goes when it ends.
//!
//! It is `serve` with other settings, so what works here works there.

use crate::Globals;
use crate::client::{self, url_of};
use crate::progress::grouped;
use crate::serve::banner::{self, Storage};
use crate::serve::signals::Signals;
use crate::serve::{self, Server};
use crate::target::Target;
use crate::{port, seed};
use anyhow::Context;
use setup::config::{self, Config, Flag};
use setup::exit::Exit;
use setup::telemetry::{self, Telemetry};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tempfile::TempDir;
use tokio::time::sleep;
use tracing::info;

/// The demo orders are the same at every start.
const SEED: u64 = 1;

/// How long a start waits for the demo orders, and how often it looks.
const SETTLING_MAX: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Keep the database in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Where to listen; if it is taken, the next free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// How many demo orders to place at the start
    #[arg(long, default_value_t = 1_000)]
    orders: u64,
    /// How many demo orders a second come in from then on; 0 for none
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    rate: u32,
}

/// What makes the demo worth looking at, where nobody chose otherwise: steps that can be watched,
/// and some orders that are given up.
const DEMO: [(&str, &str); 3] = [
    ("fulfilment.tries", "3"),
    ("simulated.decline_rate", "0.01"),
    ("simulated.latency_ms", "150"),
];

/// Runs the sub-command.
pub(crate) fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let (directory, temporary) = directory(args.keep.as_deref())?;
    let file = std::path::absolute(directory.join("orderd.db"))?
        .display()
        .to_string();
    let flags = flags(args, &file);
    let chosen = config::load(globals, flags.clone())?;
    let demo = DEMO.into_iter().filter(|(key, _)| !chosen.is_chosen(key));
    let demo = demo.map(|(key, value)| ("dev", key, value.to_owned()));
    let config = config::load(globals, flags.into_iter().chain(demo).collect())?;
    let storage = match &temporary {
        Some(_) => Storage::Temporary(&file),
        None => Storage::Durable(&file),
    };
    // A line for each demo order would only hide what follows.
    let telemetry = telemetry::start_quietly(&config.settings);
    serve::runtime(&config.settings)?.block_on(serve(args, &config, storage, &telemetry))
}

/// Where the database goes. A temporary directory is removed when its guard is dropped, which is
/// after everything else has ended.
fn directory(keep: Option<&Path>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    let Some(directory) = keep else {
        let temporary = tempfile::Builder::new().prefix("orderd-dev-").tempdir()?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    let failed = || format!("cannot make the directory {}", directory.display());
    fs::create_dir_all(directory).with_context(failed)?;
    Ok((directory.to_owned(), None))
}

fn flags(args: &Args, file: &str) -> Vec<Flag> {
    let url = format!("sqlite:{file}");
    let listen = args
        .listen
        .clone()
        .map(|listen| ("--listen", "server.listen", listen));
    let flags = [
        ("dev", "database.url", url),
        ("dev", "faults.enabled", "true".to_owned()),
        ("dev", "webhooks.allow_private", "true".to_owned()),
    ];
    flags.into_iter().chain(listen).collect()
}

async fn serve(
    args: &Args,
    config: &Config,
    storage: Storage<'_>,
    telemetry: &Telemetry,
) -> anyhow::Result<ExitCode> {
    let signals = Signals::install()?;
    serve::guard_access(config).await?;
    serve::fulfilment::guard_payments(&config.settings)?;
    let listener = port::bind_near(config.settings.server.listen)?;
    let (cache, driver) = setup::cache::cache(config).await?;
    let (store, app) = serve::open(config, cache, telemetry.tracer())
        .await
        .map_err(with_own_flag)?;
    let mut server = Server::start(config, app, driver).await?;
    server.listen(config, listener)?;
    let target = Target::Server {
        server: client::Server::open(url_of(server.address)),
        password: String::new(),
    };
    let target = Arc::new(target);
    let seeded = seed::demo(&target, args.orders, SEED).await?;
    settled(&*store).await?;
    telemetry.speak();
    banner::show(config, &server, storage, telemetry);
    let orders = grouped(seeded.placed + seeded.already_there);
    info!("{orders} demo orders are there to be looked at");
    if let Some(every) = Duration::from_secs(1).checked_div(args.rate) {
        let shop = seed::go_on(target, args.orders, SEED, every);
        server.in_background(shop);
    }
    server.run(signals, telemetry).await
}

/// Waits until what was placed has come to its end, but for what takes long.
async fn settled(store: &dyn Store) -> anyhow::Result<()> {
    for _ in 0..SETTLING_MAX.as_millis() / LOOK_EVERY.as_millis() {
        if store.stats().await?.fulfil.count == 0 {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The advice of an error in terms of `dev`, which chooses a directory and not a URL.
fn with_own_flag(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Exit>() {
        Ok(Exit { code, message }) => {
            let (theirs, ours) = ("file with --database-url", "directory with --keep");
            let message = message.replace(theirs, ours);
            Exit { code, message }.into()
        }
        Err(error) => error,
    }
}

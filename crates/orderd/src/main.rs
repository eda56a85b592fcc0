//! `orderd`: takes each order exactly once and drives it to its end.
//!
//! The binary is wiring: this file chooses the sub-command and turns its end into an exit code.
//! What a sub-command does is in the file of its name.

mod backup;
mod bench;
mod cache;
mod client;
mod completions;
mod configuration;
mod dev;
mod dlq;
mod doctor;
mod export;
mod healthcheck;
mod import;
mod listener;
mod migrate;
mod order;
mod port;
mod product;
mod progress;
mod providers;
mod reset;
mod restore;
mod schema;
mod seed;
mod serve;
mod stock;
mod target;
mod token;
mod top;
mod verify;
mod webhook;
mod wire;
mod worker;

use clap::{CommandFactory, Parser, Subcommand};
use setup::config::Files;
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes each order exactly once and drives it to its end
#[derive(Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration, 4 cannot bind or \
                        reach, 5 a check found problems, 75 try later."
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// The heading in every help under which stands what every sub-command understands.
const GLOBAL: &str = "Global options";

/// What every sub-command understands.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Globals {
    /// Read this configuration file, and no other
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub(crate) config: Option<PathBuf>,
    /// Do not read .env in the current directory
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) no_env_file: bool,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
}

impl From<&Globals> for Files {
    fn from(globals: &Globals) -> Self {
        Self {
            config: globals.config.clone(),
            env_file: !globals.no_env_file,
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Take orders, keep them for good, and drive them to their end
    Serve(serve::Args),
    /// Drive the orders of a shared database to their end, and listen nowhere
    Worker(worker::Args),
    /// Try everything: a temporary database with demo orders
    Dev(dev::Args),
    /// Place, show, list, watch and cancel orders of a running server
    Order(order::Args),
    /// Make, show and list the products of a running server
    Product(product::Args),
    /// See and change how many of an item a running server has
    Stock(stock::Args),
    /// Have events told to a URL, and see what came of it
    Webhook(webhook::Args),
    /// See orders that were given up, and bring them back
    Dlq(dlq::Args),
    /// Serve the simulated payment and inventory services over HTTP
    Providers(providers::Args),
    /// Make and revoke access tokens
    Token(token::Args),
    /// Look at the cache of a running server, or empty it
    Cache(cache::Args),
    /// Bring the schema of a database up to date, or say whether it is
    Migrate(migrate::Args),
    /// Place demo orders
    Seed(seed::Args),
    /// Remove all orders
    Reset(reset::Args),
    /// Check every promise on the rows of a database, also beside a running server
    Verify(verify::Args),
    /// Take over the orders and keys of an older system
    Import(import::Args),
    /// Write every order with all that happened to it as JSON, a line each
    Export(export::Args),
    /// Copy the database file, also beside a running server
    Backup(backup::Args),
    /// Put a backup where the database is to be
    Restore(restore::Args),
    /// Watch what a running server does
    Top(top::Args),
    /// Measure a running server
    Bench(bench::Args),
    /// Show, check or begin a configuration
    Config(configuration::Args),
    /// Print what programs can read of the API, of events or of the configuration
    Schema(schema::Args),
    /// Look for what keeps orderd from working here, and say how to mend it
    Doctor(doctor::Args),
    /// Ask a running server whether it is ready
    Healthcheck(healthcheck::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

fn main() -> ExitCode {
    end_with_the_reader();
    let Cli { globals, command } = Cli::parse();
    run(command, &globals).unwrap_or_else(|error| setup::exit::report(&error))
}

fn run(command: Command, globals: &Globals) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args, globals),
        Command::Worker(args) => worker::run(args, globals),
        Command::Dev(args) => dev::run(&args, globals),
        Command::Order(args) => wait_for(order::run(args, globals)),
        Command::Product(args) => wait_for(product::run(args, globals)),
        Command::Stock(args) => wait_for(stock::run(args, globals)),
        Command::Webhook(args) => wait_for(webhook::run(args, globals)),
        Command::Dlq(args) => wait_for(dlq::run(args, globals)),
        Command::Providers(args) => providers::run(args, globals),
        Command::Token(args) => wait_for(token::run(args, globals)),
        Command::Cache(args) => wait_for(cache::run(args, globals)),
        Command::Migrate(args) => wait_for(migrate::run(args, globals)),
        Command::Seed(args) => wait_for(seed::run(args, globals)),
        Command::Reset(args) => wait_for(reset::run(args, globals)),
        Command::Verify(args) => wait_for(verify::run(args, globals)),
        Command::Import(args) => wait_for(import::run(args, globals)),
        Command::Export(args) => wait_for(export::run(args, globals)),
        Command::Backup(args) => backup::run(&args, globals),
        Command::Restore(args) => restore::run(&args, globals),
        Command::Top(args) => wait_for(top::run(args, globals)),
        Command::Bench(args) => wait_for(bench::run(args, globals)),
        Command::Config(args) => configuration::run(&args, globals),
        Command::Schema(args) => schema::run(&args),
        Command::Doctor(args) => wait_for(doctor::run(args, globals)),
        Command::Healthcheck(args) => wait_for(healthcheck::run(args, globals)),
        Command::Completions(args) => Ok(completions::run(&args, &mut Cli::command())),
    }
}

/// Whoever reads our output may stop, as `head` does: then there is nothing more to say, and nothing
/// went wrong that a panic would explain. Ends as the signal would that other programs get.
fn end_with_the_reader() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        if message.is_some_and(|message| message.starts_with("failed printing to std")) {
            std::process::exit(128 + 13);
        }
        report(panic);
    }));
}

/// Runs a command that asks or reads: one thread is enough.
fn wait_for(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

//! `orderd reset`: removes all that belongs to orders, once it was told to.

use crate::Globals;
use crate::client::ServerArgs;
use crate::progress::grouped;
use crate::target::{Force, Target};
use serde_json::json;
use setup::exit::{Code, Exit};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Orders are counted up to here; whoever has more knows that there are many.
const COUNT_MAX: u64 = 10_000;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Also while orders are being paid for
    #[arg(long)]
    force: bool,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.server, globals).await?;
    let removed = reset(&args, &target, globals).await;
    target.close().await?;
    removed?;
    Ok(ExitCode::SUCCESS)
}

async fn reset(args: &Args, target: &Target, globals: &Globals) -> anyhow::Result<()> {
    let orders = count(target).await?;
    let many = if orders == COUNT_MAX { " or more" } else { "" };
    eprintln!(
        "{}{many} orders in {target}, with their ledger entries, keys and events.",
        grouped(orders)
    );
    if args.dry_run {
        tell(globals, false, "Nothing was removed: this was a dry run.");
        return Ok(());
    }
    if !args.yes && !confirmed()? {
        tell(globals, false, "Nothing was removed.");
        return Ok(());
    }
    let force = if args.force { Force::Yes } else { Force::No };
    target.reset(force).await?;
    tell(globals, true, "All orders have been removed.");
    Ok(())
}

async fn count(target: &Target) -> anyhow::Result<u64> {
    let mut count = 0;
    let mut cursor = String::new();
    while count < COUNT_MAX {
        let path = format!("/v1/orders?limit=100{cursor}");
        let page = target.send("GET", &path, &[], b"").await?.json()?;
        count += u64::try_from(page["items"].as_array().map_or(0, Vec::len))?;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    Ok(count.min(COUNT_MAX))
}

fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let why = "nobody can be asked: the input is no terminal.";
        let fix = "look at it with --dry-run, then say --yes.";
        return Err(Exit::new(Code::Failed, "Nothing was removed.", why, fix).into());
    }
    eprint!("Remove them for good? Type yes: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn tell(globals: &Globals, removed: bool, text: &str) {
    if globals.json {
        println!("{}", json!({ "removed": removed }));
    } else {
        println!("{text}");
    }
}

//! `orderd cache`: what the cache of a running server holds, and emptying it.

use crate::Globals;
use crate::client::{self, ServerArgs};
use crate::progress::grouped;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Say what it holds, and how often it had the answer
    Stats,
    /// Empty it; answers are right without that
    Flush,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    match args.verb {
        Verb::Stats => {
            let answer = client::send(&server, "GET", "/v1/cache", &[], b"").await?;
            let stats = answer.json()?;
            if globals.json {
                println!("{stats}");
            } else {
                println!("{}", shown(&stats));
            }
        }
        Verb::Flush => {
            let answer = client::send(&server, "DELETE", "/v1/cache", &[], b"").await?;
            if answer.status != 204 {
                return Err(answer.problem().into());
            }
            if globals.json {
                println!("{}", json!({ "flushed": true }));
            } else {
                println!("The cache is empty.");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(stats: &Value) -> String {
    let number = |name: &str| stats[name].as_u64().unwrap_or_default();
    let (hits, misses, bypasses) = (number("hits"), number("misses"), number("bypasses"));
    let share = (100 * hits)
        .checked_div(hits + misses + bypasses)
        .map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"));
    let away = if stats["up"] == true {
        ""
    } else {
        " (not in use)"
    };
    format!(
        "kind      {}{away}\nhits      {} ({share})\nmisses    {}\nbypasses  {}\nheld      {} \
         answers, {} bytes in this process",
        stats["kind"].as_str().unwrap_or_default(),
        grouped(hits),
        grouped(misses),
        grouped(bypasses),
        grouped(number("entries")),
        grouped(number("bytes")),
    )
}

//! `orderd dlq`: the dead letters of a running server, or of a queue, from the command line.

#[cfg_attr(not(feature = "aws"), path = "dlq/without_queue.rs")]
mod queue;

use crate::Globals;
use crate::client::{self, Server, ServerArgs, encoded};
use crate::progress::grouped;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::process::ExitCode;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
/// The most letters that one request lists.
const PAGE_MAX: usize = 100;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// Look at the messages in this SQS queue of dead letters rather than at orders of a server
    #[arg(long, global = true, value_name = "URL")]
    queue: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// List orders that were given up
    List {
        #[command(flatten)]
        filter: Filter,
        /// Those in this state: waiting, redriven, discarded or all; of orders only
        #[arg(long, default_value = "waiting")]
        state: String,
        /// How many to list at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        limit: u32,
    },
    /// Show one letter
    Show {
        /// The letter's id
        id: String,
    },
    /// Have one order tried anew, or with --all, many
    Redrive {
        /// The letter's id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All that wait, up to --limit
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: Filter,
        /// The most of them
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// How many a second
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        per_second: u32,
        /// Only say how many there are
        #[arg(long)]
        dry_run: bool,
        /// Why; kept in the timeline of each order
        #[arg(long)]
        reason: Option<String>,
        /// With --queue: send them to this queue [default: the one whose dead letters they are]
        #[arg(long, value_name = "URL")]
        to: Option<String>,
    },
    /// Let one order be
    Discard {
        /// The letter's id
        id: String,
        /// Why; kept in the timeline of the order
        #[arg(long)]
        reason: String,
    },
}

#[derive(clap::Args)]
struct Filter {
    /// Only those with this reason, such as `payment_declined`
    #[arg(long = "with-reason", value_name = "REASON")]
    with_reason: Option<String>,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    if let Some(url) = &args.queue {
        queue::run(args.verb, url, globals).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = args.server.server(globals)?;
    match args.verb {
        Verb::List {
            filter,
            state,
            limit,
        } => list(&server, &filter, &state, usize::try_from(limit)?, globals).await?,
        Verb::Show { id } => {
            let letter = client::send(&server, "GET", &path(&id, ""), &[], b"").await?;
            print(&letter.json()?, globals);
        }
        Verb::Redrive {
            id: Some(id),
            reason,
            ..
        } => {
            let body = json!({ "reason": reason }).to_string();
            let path = path(&id, "/redrive");
            let letter = client::send(&server, "POST", &path, &JSON, body.as_bytes()).await?;
            print(&letter.json()?, globals);
        }
        Verb::Redrive {
            id: None,
            filter,
            limit,
            per_second,
            dry_run,
            reason,
            ..
        } => {
            let body = json!({
                "reason": filter.with_reason, "limit": limit, "per_second": per_second,
                "dry_run": dry_run, "note": reason,
            });
            redrive_all(&server, &body, globals).await?;
        }
        Verb::Discard { id, reason } => {
            let body = json!({ "reason": reason }).to_string();
            let path = path(&id, "/discard");
            let letter = client::send(&server, "POST", &path, &JSON, body.as_bytes()).await?;
            print(&letter.json()?, globals);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(id: &str, verb: &str) -> String {
    format!("/v1/dead-letters/{}{verb}", encoded(id))
}

async fn redrive_all(server: &Server, body: &Value, globals: &Globals) -> anyhow::Result<()> {
    let (path, body) = ("/v1/dead-letters/redrive", body.to_string());
    let answer = client::send(server, "POST", path, &JSON, body.as_bytes()).await?;
    let counts = answer.json()?;
    if globals.json {
        println!("{counts}");
        return Ok(());
    }
    let count = |name: &str| counts[name].as_u64().unwrap_or_default();
    println!(
        "{} letters match; {} orders are tried anew.",
        grouped(count("matching")),
        grouped(count("redriven"))
    );
    if count("skipped") > 0 {
        let skipped = grouped(count("skipped"));
        println!("{skipped} are left out: they need a ruling first, or cannot be brought back.");
    }
    if counts["more"] == true {
        println!("There are more than --limit: ask again for the rest.");
    }
    Ok(())
}

async fn list(
    server: &Server,
    filter: &Filter,
    state: &str,
    limit: usize,
    globals: &Globals,
) -> anyhow::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let reason = filter.with_reason.as_deref();
    let reason = reason.map(|reason| format!("&reason={}", encoded(reason)));
    let filters = format!("&state={}{}", encoded(state), reason.unwrap_or_default());
    let (mut left, mut cursor, mut first) = (limit, String::new(), true);
    while left > 0 {
        let limit = left.min(PAGE_MAX);
        let path = format!("/v1/dead-letters?limit={limit}{filters}{cursor}");
        let page = client::send(server, "GET", &path, &[], b"").await?.json()?;
        let letters = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        if std::mem::take(&mut first) && terminal && !globals.json && !letters.is_empty() {
            println!("{}", row(&["LETTER", "REASON", "STATE"].map(str::to_owned)));
        }
        for letter in letters {
            let cells = ["letter_id", "reason", "state"].map(|name| cell(letter, name));
            match (globals.json, terminal) {
                (true, _) => println!("{letter}"),
                (_, true) => println!("{}", row(&cells)),
                _ => println!("{}", cells.join("\t")),
            }
        }
        left = left.saturating_sub(letters.len());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", encoded(next)),
            None => break,
        }
    }
    if left == limit && !globals.json {
        eprintln!("There are none.");
    }
    Ok(())
}

fn print(letter: &Value, globals: &Globals) {
    if globals.json {
        println!("{letter}");
        return;
    }
    for name in [
        "letter_id",
        "order_id",
        "reason",
        "step",
        "error",
        "compensated",
        "state",
        "failed_at",
    ] {
        println!("{:<12} {}", name.replace('_', " "), cell(letter, name));
    }
}

fn row([id, reason, state]: &[String; 3]) -> String {
    format!("{id:<42}  {reason:<20}  {state:<10}")
}

fn cell(letter: &Value, name: &str) -> String {
    letter[name].as_str().unwrap_or("–").to_owned()
}

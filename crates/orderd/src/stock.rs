//! `orderd stock`: how many of an item a running server has, from the command line.

use crate::Globals;
use crate::client::{self, Answer, ServerArgs, encoded};
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
    /// Show the stock of an item
    Show {
        /// The item's id
        item: String,
    },
    /// Set the stock of an item to what was counted; from then on no more is sold than there is
    Set {
        /// The item's id
        item: String,
        /// How many there are, those held for orders too
        on_hand: u64,
        /// Why; kept with the change
        #[arg(long)]
        reason: String,
    },
    /// Add to the stock of an item, or take from it
    Adjust {
        /// The item's id
        item: String,
        /// How many came, or with a minus sign, went
        #[arg(allow_negative_numbers = true)]
        change: i64,
        /// Why; kept with the change
        #[arg(long)]
        reason: String,
    },
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    let (method, item, body) = match &args.verb {
        Verb::Show { item } => ("GET", item, Value::Null),
        Verb::Set {
            item,
            on_hand,
            reason,
        } => ("PUT", item, json!({ "on_hand": on_hand, "reason": reason })),
        Verb::Adjust {
            item,
            change,
            reason,
        } => ("POST", item, json!({ "change": change, "reason": reason })),
    };
    let path = format!("/v1/stock/{}", encoded(item));
    let (headers, body) = if body.is_null() {
        (&[][..], String::new())
    } else {
        (
            &[("content-type", "application/json")][..],
            body.to_string(),
        )
    };
    let answer = client::send(&server, method, &path, headers, body.as_bytes()).await?;
    print(&answer, globals)?;
    Ok(ExitCode::SUCCESS)
}

fn print(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    let stock = answer.json()?;
    if globals.json {
        println!("{}", String::from_utf8_lossy(&answer.body));
        return Ok(());
    }
    let item = stock["item_id"].as_str().unwrap_or_default();
    let number = |name: &str| stock[name].to_string();
    println!(
        "item       {item}\non hand    {}\nreserved   {}\navailable  {}",
        number("on_hand"),
        number("reserved"),
        number("available")
    );
    Ok(())
}

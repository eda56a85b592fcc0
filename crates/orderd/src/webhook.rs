//! `orderd webhook`: who is told of events by a running server, from the command line.

use crate::Globals;
use crate::client::{self, Answer, Server, ServerArgs, encoded};
use serde_json::{Value, json};
use std::io::IsTerminal as _;
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
    /// Have events told to a URL; the secret that signs is shown once
    Create {
        /// Where to
        #[arg(value_name = "URL")]
        target: String,
        /// A type of event, such as order.completed.v1; once for each [default: all]
        #[arg(long = "event", value_name = "TYPE")]
        events: Vec<String>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// List the webhooks
    List,
    /// Show one webhook
    Show {
        /// The webhook's id
        id: String,
    },
    /// Tell a webhook of nothing for now
    Disable {
        /// The webhook's id
        id: String,
    },
    /// Tell a webhook again, also of what waited for it
    Enable {
        /// The webhook's id
        id: String,
    },
    /// Sign with a new secret; the old one signs as well for a day
    Rotate {
        /// The webhook's id
        id: String,
    },
    /// Delete a webhook, and forget what it was to be told
    Delete {
        /// The webhook's id
        id: String,
    },
    /// Show what came of telling a webhook, the newest first
    Deliveries {
        /// The webhook's id
        id: String,
        /// How many to list at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Tell a webhook of one event again
    Resend {
        /// The webhook's id
        id: String,
        /// The event's id
        event: String,
    },
    /// Tell a webhook again of all that happened since a time
    Recover {
        /// The webhook's id
        id: String,
        /// From when on, as in 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        since: String,
        /// Until when [default: now]
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let server = args.server.server(globals)?;
    let of = |id: &str, rest: &str| format!("/v1/webhooks/{}{rest}", encoded(id));
    match args.verb {
        Verb::Create {
            target,
            events,
            description,
        } => {
            let body = json!({ "url": target, "events": events, "description": description });
            let made = send(&server, "POST", "/v1/webhooks", &body).await?;
            print_secret(&made, globals)?;
        }
        Verb::List => print_all(&get(&server, "/v1/webhooks").await?, globals)?,
        Verb::Show { id } => print_one(&get(&server, &of(&id, "")).await?, globals)?,
        Verb::Disable { id } => {
            let body = json!({ "enabled": false });
            print_one(&send(&server, "PATCH", &of(&id, ""), &body).await?, globals)?;
        }
        Verb::Enable { id } => {
            let body = json!({ "enabled": true });
            print_one(&send(&server, "PATCH", &of(&id, ""), &body).await?, globals)?;
        }
        Verb::Rotate { id } => {
            let path = of(&id, "/rotate");
            let rotated = client::send(&server, "POST", &path, &[], b"").await?;
            print_secret(&rotated, globals)?;
        }
        Verb::Delete { id } => {
            let path = of(&id, "");
            let answer = client::send(&server, "DELETE", &path, &[], b"").await?;
            if answer.status != 204 {
                return Err(answer.problem().into());
            }
            eprintln!("Deleted {id}.");
        }
        Verb::Deliveries { id, limit } => {
            let path = of(&id, &format!("/deliveries?limit={limit}"));
            print_deliveries(&get(&server, &path).await?, globals)?;
        }
        Verb::Resend { id, event } => {
            let body = json!({ "event_id": event });
            print_again(
                &send(&server, "POST", &of(&id, "/resend"), &body).await?,
                globals,
            )?;
        }
        Verb::Recover { id, since, until } => {
            let mut body = json!({ "since": since });
            if let Some(until) = until {
                body["until"] = until.into();
            }
            print_again(
                &send(&server, "POST", &of(&id, "/recover"), &body).await?,
                globals,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn get(server: &Server, path: &str) -> anyhow::Result<Answer> {
    client::send(server, "GET", path, &[], b"").await
}

async fn send(server: &Server, method: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
    let headers = [("content-type", "application/json")];
    client::send(server, method, path, &headers, body.to_string().as_bytes()).await
}

/// The secret alone on stdout, where a script wants it.
fn print_secret(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    let webhook = answer.json()?;
    if globals.json {
        println!("{webhook}");
        return Ok(());
    }
    let cell = |name: &str| webhook[name].as_str().unwrap_or_default().to_owned();
    eprintln!("webhook  {}\nurl      {}", cell("webhook_id"), cell("url"));
    eprintln!("The secret that signs is shown only now:");
    println!("{}", cell("secret"));
    Ok(())
}

fn print_one(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    let webhook = answer.json()?;
    print_rows(&[webhook], globals, row);
    Ok(())
}

fn print_all(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    print_rows(&items(answer)?, globals, row);
    Ok(())
}

fn print_deliveries(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    print_rows(&items(answer)?, globals, |delivery| {
        let cell = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
        let outcome = match &delivery["status"] {
            Value::Null => cell("error"),
            status => status.to_string(),
        };
        [cell("tried_at"), cell("kind"), cell("event_id"), outcome]
    });
    Ok(())
}

fn print_again(answer: &Answer, globals: &Globals) -> anyhow::Result<()> {
    let again = answer.json()?;
    if globals.json {
        println!("{again}");
        return Ok(());
    }
    println!(
        "events told again: {}, of orders: {}",
        again["events"], again["orders"]
    );
    if let Some(since) = again["next_since"].as_str() {
        println!("There are more: go on with --since {since}");
    }
    Ok(())
}

fn items(answer: &Answer) -> anyhow::Result<Vec<Value>> {
    let list = answer.json()?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

fn row(webhook: &Value) -> [String; 4] {
    let cell = |name: &str| webhook[name].as_str().unwrap_or_default().to_owned();
    let state = match webhook["disabled_reason"].as_str() {
        None => "enabled".to_owned(),
        Some(why) => format!("disabled ({why})"),
    };
    let events = webhook["events"].as_array().map_or(0, Vec::len);
    let events = match events {
        0 => "all events".to_owned(),
        1 => "1 type of event".to_owned(),
        count => format!("{count} types of events"),
    };
    [cell("webhook_id"), state, events, cell("url")]
}

/// One JSON object a line, or a row each: aligned on a terminal, else with tabs alone.
fn print_rows(items: &[Value], globals: &Globals, row: impl Fn(&Value) -> [String; 4]) {
    let terminal = std::io::stdout().is_terminal();
    for item in items {
        if globals.json {
            println!("{item}");
            continue;
        }
        let cells = row(item);
        if terminal {
            let [a, b, c, d] = cells;
            println!("{a:<24}  {b:<20}  {c:<20}  {d}");
        } else {
            println!("{}", cells.join("\t"));
        }
    }
}

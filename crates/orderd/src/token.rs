//! `orderd token`: make access tokens, list them, revoke one. Asks a running server, which wants a
//! token of scope admin itself, or, where none runs, the file alone.

use crate::Globals;
use crate::client::{Answer, ServerArgs};
use crate::target::Target;
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
    /// Make a token; it is shown once, on stdout
    Create {
        /// What it may do: read, write (also reads), or admin (everything)
        #[arg(long, value_parser = ["read", "write", "admin"])]
        scope: String,
        /// Its name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// List the tokens, without their secrets
    List,
    /// Make a token worthless at once
    Revoke {
        /// The token's id, as `list` shows it
        id: String,
    },
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.server, globals).await?;
    let done = match args.verb {
        Verb::Create { scope, name } => create(&target, &scope, name, globals).await,
        Verb::List => list(&target, globals).await,
        Verb::Revoke { id } => revoke(&target, &id).await,
    };
    target.close().await?;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn create(
    target: &Target,
    scope: &str,
    name: Option<String>,
    globals: &Globals,
) -> anyhow::Result<()> {
    let body = json!({"scope": scope, "name": name}).to_string();
    let headers = [("content-type", "application/json")];
    let answer = target
        .send("POST", "/v1/tokens", &headers, body.as_bytes())
        .await?;
    let token = answer.json()?;
    if globals.json {
        println!("{}", text(&answer));
        return Ok(());
    }
    let cell = |field: &str| token[field].as_str().unwrap_or_default().to_owned();
    eprintln!(
        "Token {} of scope {scope}. It is shown this once; send it as Authorization: Bearer, or \
         set ORDERD_TOKEN.",
        cell("token_id")
    );
    println!("{}", cell("token"));
    Ok(())
}

async fn list(target: &Target, globals: &Globals) -> anyhow::Result<()> {
    let answer = target.send("GET", "/v1/tokens", &[], b"").await?;
    let tokens = answer.json()?;
    if globals.json {
        println!("{}", text(&answer));
        return Ok(());
    }
    for token in tokens["items"].as_array().into_iter().flatten() {
        let cell = |field: &str| token[field].as_str().unwrap_or("–").to_owned();
        println!(
            "{}  {:<5}  {}  {}",
            cell("token_id"),
            cell("scope"),
            cell("created_at"),
            cell("name")
        );
    }
    if tokens["items"].as_array().is_none_or(Vec::is_empty) {
        eprintln!("There are no tokens. Make one with: orderd token create --scope write");
    }
    Ok(())
}

async fn revoke(target: &Target, id: &str) -> anyhow::Result<()> {
    let path = format!("/v1/tokens/{}", crate::client::encoded(id));
    let answer = target.send("DELETE", &path, &[], b"").await?;
    if answer.status != 204 {
        return Err(answer.problem().into());
    }
    eprintln!("Revoked {id}.");
    Ok(())
}

fn text(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

//! `orderd dlq --queue URL`: the dead letters of an SQS queue.

use super::{Filter, Verb};
use crate::Globals;
use serde_json::{Value, json};
use setup::exit::{Code, Exit};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::sleep;
use worker::sqs::dead_letters::{DeadLetter, DeadLetters};

/// The most letters that are looked through for one.
const LOOK_MAX: usize = 10_000;
/// How much of what a letter says stands in a list.
const SAYS_MAX: usize = 60;

/// Runs a verb on the letters in the queue at `url`.
pub(super) async fn run(verb: Verb, url: &str, globals: &Globals) -> anyhow::Result<()> {
    let letters = DeadLetters::new(url).await;
    let done = match verb {
        Verb::List { filter, limit, .. } => {
            list(&letters, &filter, usize::try_from(limit)?, globals).await
        }
        Verb::Show { id } => {
            with(&letters, &id, async |letter| {
                print(letter, globals);
                letters.put_back(std::slice::from_ref(letter)).await;
                Ok(())
            })
            .await
        }
        Verb::Redrive {
            id: Some(id), to, ..
        } => {
            let to = source(&letters, to).await;
            let to = to.map_err(|why| unusable(url, why))?;
            with(&letters, &id, async |letter| {
                letters.redrive(letter, &to).await?;
                println!("Sent {} to {to}.", letter.id);
                Ok(())
            })
            .await
        }
        Verb::Redrive {
            id: None,
            filter,
            limit,
            per_second,
            dry_run,
            to,
            ..
        } => {
            let limits = Limits {
                count: usize::try_from(limit)?,
                pause: Duration::from_secs(1) / per_second,
                dry_run,
                to,
            };
            redrive_all(&letters, &filter, limits, globals).await
        }
        Verb::Discard { id, reason } => {
            with(&letters, &id, async |letter| {
                letters.remove(letter).await?;
                println!("Removed {}: {reason}", letter.id);
                Ok(())
            })
            .await
        }
    };
    Ok(done.map_err(|why| unusable(url, why))?)
}

/// How many are sent back, and how fast.
struct Limits {
    count: usize,
    pause: Duration,
    dry_run: bool,
    to: Option<String>,
}

/// Where letters are sent back to.
async fn source(letters: &DeadLetters, chosen: Option<String>) -> Result<String, String> {
    match chosen {
        Some(to) => Ok(to),
        None => letters.source().await,
    }
}

fn unusable(url: &str, why: String) -> Exit {
    Exit::new(
        Code::Unreachable,
        &format!("Cannot use the dead letters in {url}."),
        why,
        "write the URL of the queue of dead letters in --queue, and have the region and credentials \
         of AWS in the environment.",
    )
}

async fn list(
    letters: &DeadLetters,
    filter: &Filter,
    limit: usize,
    globals: &Globals,
) -> Result<(), String> {
    let matching =
        |taken: &[DeadLetter]| -> usize { taken.iter().filter(|it| matches(it, filter)).count() };
    let enough = |taken: &[DeadLetter]| matching(taken) >= limit;
    let taken = letters.take(LOOK_MAX, enough).await?;
    let matching = taken.iter().filter(|it| matches(it, filter));
    let matching: Vec<&DeadLetter> = matching.take(limit).collect();
    let terminal = std::io::stdout().is_terminal();
    if terminal && !globals.json && !matching.is_empty() {
        println!("{:<36}  {:<10}  SAYS", "MESSAGE", "REASON");
    }
    for letter in &matching {
        let says: String = letter.body.chars().take(SAYS_MAX).collect();
        let says = says.replace(char::is_control, " ");
        let (id, reason) = (&letter.id, attribute(letter, "reason"));
        match (globals.json, terminal) {
            (true, _) => println!("{}", shown(letter)),
            (_, true) => println!("{id:<36}  {reason:<10}  {says}"),
            _ => println!("{id}\t{reason}\t{says}"),
        }
    }
    if matching.is_empty() && !globals.json {
        eprintln!("There are none.");
    }
    letters.put_back(&taken).await;
    Ok(())
}

/// Does something with one letter; the others that were looked at are put back.
async fn with(
    letters: &DeadLetters,
    id: &str,
    act: impl AsyncFnOnce(&DeadLetter) -> Result<(), String>,
) -> Result<(), String> {
    let is_it = |letter: &DeadLetter| letter.id == id;
    let enough = |taken: &[DeadLetter]| taken.iter().any(is_it);
    let taken = letters.take(LOOK_MAX, enough).await?;
    let (found, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(is_it);
    let done = match found.first() {
        Some(letter) => act(letter).await,
        None => Err(format!("no letter with the id {id} can be seen in it now")),
    };
    letters.put_back(&others).await;
    done
}

async fn redrive_all(
    letters: &DeadLetters,
    filter: &Filter,
    limits: Limits,
    globals: &Globals,
) -> Result<(), String> {
    let to = source(letters, limits.to).await?;
    let taken = letters.take(LOOK_MAX, |_| false).await?;
    let (mut chosen, mut others): (Vec<_>, Vec<_>) = taken
        .into_iter()
        .partition(|letter| matches(letter, filter));
    let matching = chosen.len();
    let count = if limits.dry_run { 0 } else { limits.count };
    others.extend(chosen.split_off(count.min(matching)));
    let mut redriven = 0;
    let mut failed = None;
    for letter in &chosen {
        if let Err(why) = letters.redrive(letter, &to).await {
            failed = Some(why);
            break;
        }
        redriven += 1;
        sleep(limits.pause).await;
    }
    others.extend(chosen.split_off(redriven));
    letters.put_back(&others).await;
    if globals.json {
        println!("{}", json!({ "matching": matching, "redriven": redriven }));
    } else {
        println!("{matching} letters match; {redriven} are sent to {to}.");
    }
    failed.map_or(Ok(()), Err)
}

fn matches(letter: &DeadLetter, filter: &Filter) -> bool {
    let reason = filter.with_reason.as_ref();
    reason.is_none_or(|reason| letter.attributes.get("reason") == Some(reason))
}

fn print(letter: &DeadLetter, globals: &Globals) {
    if globals.json {
        println!("{}", shown(letter));
        return;
    }
    println!("message      {}", letter.id);
    for name in ["reason", "error"] {
        println!("{name:<12} {}", attribute(letter, name));
    }
    println!("says         {}", letter.body);
}

fn shown(letter: &DeadLetter) -> Value {
    json!({ "message_id": letter.id, "body": letter.body, "attributes": letter.attributes })
}

/// Where SQS itself has moved it, nobody has said why.
fn attribute<'l>(letter: &'l DeadLetter, name: &str) -> &'l str {
    letter.attributes.get(name).map_or("–", String::as_str)
}

//! `orderd verify`: every promise, checked on the rows themselves.
//!
//! It only reads, so it runs beside the server that owns the file.

mod books;

use crate::Globals;
use crate::progress::grouped;
use domain::Order;
use serde::Serialize;
use setup::clock::SystemClock;
use setup::config;
use setup::exit::{Code, Exit};
use setup::fulfilment::books_path;
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Instant;
use store::open::Access;
use store::{Check, OrderQuery, Store};

/// How many findings of a check are printed; the rest are counted.
const PRINTED_MAX: usize = 20;
/// How many orders are read at a time.
const PAGE: usize = 1_000;

/// What the command line says.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// The database, instead of the configured one
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

/// What a check came to.
#[derive(Serialize)]
struct Verdict {
    check: &'static str,
    #[serde(skip)]
    words: &'static str,
    findings_count: usize,
    duration_ms: u128,
    findings: Vec<String>,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let flags = args
        .database_url
        .map(|url| ("--database-url", "database.url", url));
    let config = config::load(globals, flags.into_iter().collect())?;
    let options = config.store_options(Access::Read);
    let store = store::open(&options, &SystemClock)
        .await
        .map_err(Exit::from)?;
    let say = |text: &str| {
        if !globals.json {
            println!("{text}");
        }
    };
    if !globals.json {
        println!("{}\n", store.stats().await?.location);
    }
    let mut verdicts = Vec::new();
    for check in Check::ALL {
        let verdict = verify(&*store, check).await?;
        say(&lines(&verdict));
        verdicts.push(verdict);
    }
    let path = books_path(&config.settings).filter(|path| path.exists());
    let (mut count, mut ended) = (0, HashMap::new());
    let counted = each_page(&*store, async |orders| {
        count += orders.len() as u64;
        if path.is_some() {
            ended.extend(orders.iter().filter_map(books::ended));
        }
        Ok(())
    });
    let counted = counted.await;
    let count = counted.is_ok().then_some(count);
    if let Some(path) = path {
        counted?;
        let verdict = books::verify(&*store, &ended, &path).await?;
        say(&lines(&verdict));
        verdicts.push(verdict);
    }
    store.close().await?;

    say(&format!("\n{}", closing(count, &verdicts)));
    if globals.json {
        println!("{}", serde_json::to_string(&verdicts)?);
    }
    let holds = verdicts.iter().all(|verdict| verdict.findings_count == 0);
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        Code::Problems.into()
    })
}

async fn verify(store: &dyn Store, check: Check) -> anyhow::Result<Verdict> {
    let started = Instant::now();
    let mut verdict = Verdict {
        check: check.as_str(),
        words: in_words(check),
        findings_count: 0,
        duration_ms: 0,
        findings: Vec::new(),
    };
    let mut after = None;
    loop {
        let page = store.audit(check, after).await?;
        verdict.findings_count += page.items.len();
        let room = PRINTED_MAX.saturating_sub(verdict.findings.len());
        verdict
            .findings
            .extend(page.items.iter().take(room).map(ToString::to_string));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    verdict.duration_ms = started.elapsed().as_millis();
    Ok(verdict)
}

/// Shows `see` all orders but those that were deleted from view, the newest first, in pages.
pub(crate) async fn each_page(
    store: &dyn Store,
    mut see: impl AsyncFnMut(&[Order]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut query = OrderQuery {
        customer_id: None,
        status: None,
        from: None,
        before: None,
        limit: PAGE,
    };
    loop {
        let page = store.orders(query.clone()).await?;
        see(&page.items).await?;
        if page.next.is_none() {
            return Ok(());
        }
        query.before = page.next;
    }
}

/// What it all came to.
fn closing(orders: Option<u64>, verdicts: &[Verdict]) -> String {
    let orders = orders.map_or_else(
        || "orders that cannot be counted".to_owned(),
        |count| plural(count, "order"),
    );
    let found = verdicts
        .iter()
        .filter(|verdict| verdict.findings_count > 0)
        .count();
    match found {
        0 => format!("All {} checks hold for {orders}.", verdicts.len()),
        found => format!(
            "{} found problems in {orders}.",
            plural(found as u64, "check")
        ),
    }
}

/// So many of a thing.
pub(crate) fn plural(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", grouped(count))
}

/// A check in words; `--json` has the word for machines.
const fn in_words(check: Check) -> &'static str {
    match check {
        Check::OneOrderPerKey => "one order for each key",
        Check::AllOrNothing => "every order is whole",
        Check::LedgerAgrees => "the ledger agrees with the orders",
        Check::TransfersAgree => "the transfers agree with the orders",
        Check::StockAgrees => "the stock agrees with the transfers",
        Check::NothingStuck => "nothing is stuck",
        Check::AppendOnly => "what is recorded stays recorded",
        Check::Sound => "the storage is sound",
    }
}

/// A verdict in words, and what was found.
fn lines(verdict: &Verdict) -> String {
    let Verdict {
        words,
        findings_count: count,
        duration_ms,
        findings,
        ..
    } = verdict;
    let mark = if *count == 0 { "✓" } else { "✗" };
    let found = match count {
        0 => "holds".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let mut lines = vec![format!(
        "{mark} {words:<36} {found:<14} {duration_ms:>7} ms"
    )];
    lines.extend(findings.iter().map(|finding| format!("    {finding}")));
    if *count > findings.len() {
        lines.push(format!("    and {} more", count - findings.len()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;

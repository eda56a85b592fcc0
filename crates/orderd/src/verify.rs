//! `orderd verify`: every promise, checked on the rows themselves.
//!
//! It only reads, so it runs beside the server that owns the file.

mod books;

use crate::Globals;
use crate::clock::SystemClock;
use crate::config;
use crate::exit::{Code, Exit};
use crate::migrate;
use crate::progress::grouped;
use crate::serve::fulfilment::books_path;
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Instant;
use store::open::Access;
use store::{Check, OrderQuery, Store};

/// How many findings of a check are printed; the rest are counted.
const PRINTED_MAX: usize = 20;
/// How many orders are counted at a time.
const COUNT_PAGE: usize = 1_000;

/// What the command line says.
#[derive(clap::Args)]
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
    let options = migrate::options(&config, Access::Read);
    let store = store::open(&options, &SystemClock).map_err(Exit::from)?;
    let mut verdicts = Vec::new();
    for check in Check::ALL {
        verdicts.push(verify(&*store, check).await?);
    }
    if let Some(path) = books_path(&config.settings).filter(|path| path.exists()) {
        verdicts.push(books::verify(&*store, &path).await?);
    }
    let text = if globals.json {
        serde_json::to_string(&verdicts)?
    } else {
        let orders = count(&*store).await;
        report(&store.stats().await?.location, orders, &verdicts)
    };
    store.close().await?;

    println!("{}", text.trim_end());
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

/// How many orders there are; `None` where not even that can be read.
async fn count(store: &dyn Store) -> Option<u64> {
    let mut query = OrderQuery {
        customer_id: None,
        status: None,
        from: None,
        before: None,
        limit: COUNT_PAGE,
    };
    let mut count = 0;
    loop {
        let page = store.orders(query.clone()).await.ok()?;
        count += u64::try_from(page.items.len()).ok()?;
        if page.next.is_none() {
            return Some(count);
        }
        query.before = page.next;
    }
}

fn report(location: &str, orders: Option<u64>, verdicts: &[Verdict]) -> String {
    let orders = orders.map_or_else(
        || "orders that cannot be counted".to_owned(),
        |count| plural(count, "order"),
    );
    let found = verdicts
        .iter()
        .filter(|verdict| verdict.findings_count > 0)
        .count();
    let closing = match found {
        0 => format!("All {} checks hold for {orders}.", verdicts.len()),
        found => format!("{} found problems.", plural(found as u64, "check")),
    };
    format!("{location}: {orders}\n\n{}\n{closing}\n", table(verdicts))
}

fn plural(count: u64, what: &str) -> String {
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
        Check::Sound => "the file is sound",
    }
}

fn table(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for Verdict {
        words,
        findings_count,
        duration_ms,
        findings,
        ..
    } in verdicts
    {
        let mark = if *findings_count == 0 { "✓" } else { "✗" };
        let found = match findings_count {
            0 => "holds".to_owned(),
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        let mut put = |line: String| {
            writeln!(text, "{line}").expect("a String takes whatever is written");
        };
        put(format!(
            "{mark} {words:<34} {found:<14} {duration_ms:>7} ms"
        ));
        for finding in findings {
            put(format!("    {finding}"));
        }
        if *findings_count > findings.len() {
            put(format!("    and {} more", findings_count - findings.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests;

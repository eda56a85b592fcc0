//! `orderd verify`: every promise, checked on the rows themselves.
//!
//! It only reads, so it runs beside the server that owns the file.

use crate::Globals;
use crate::clock::SystemClock;
use crate::config;
use crate::exit::{Code, Exit};
use crate::migrate;
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Instant;
use store::open::Access;
use store::{Check, Store};

/// How many findings of a check are printed; the rest are counted.
const PRINTED_MAX: usize = 20;

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
    store.close().await?;

    if globals.json {
        println!("{}", serde_json::to_string(&verdicts)?);
    } else {
        print!("{}", table(&verdicts));
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

fn table(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for Verdict {
        check,
        findings_count,
        duration_ms,
        findings,
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
            "{mark} {check:<18} {found:<14} {duration_ms:>7} ms"
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

//! How long the pages of the dashboard take where many orders are.

use super::report::{Goal, Row};
use super::server::Server;
use super::{ms, row};
use anyhow::{Context as _, Result, ensure};
use std::time::{Duration, Instant};

/// The pages without an id; the filters are those that find nothing, since they look longest.
const PAGES: [&str; 11] = [
    "",
    "orders",
    "orders?status=failed",
    "orders?customer_id=nobody",
    "products",
    "ledger",
    "dead-letters",
    "providers",
    "idempotency",
    "idempotency?key=none",
    "system",
];
const ROUNDS: usize = 5;

/// The slowest page; the note says which it is.
pub(super) fn slowest(server: &Server, what: &str) -> Result<Row> {
    let mut slowest = (Duration::ZERO, "");
    for page in PAGES {
        let path = format!("/ui/{page}");
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let answer = server.get(&path)?;
            rounds.push(begun.elapsed());
            ensure!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        }
        rounds.sort_unstable();
        let median = *rounds.get(ROUNDS / 2).context("there are rounds")?;
        slowest = slowest.max((median, page));
    }
    let (took, page) = slowest;
    let what = format!("slowest page of the dashboard, {what}");
    Ok(row(what, Goal::AtMost(50.0), ms(took), " ms").with(format!("/ui/{page}")))
}

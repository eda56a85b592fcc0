//! kill -9 at random moments under load: nothing acknowledged is lost, nothing is done twice.

use crate::campaign::{self, Cut};
use crate::harness::{Site, setting};

/// Crashes in CI; `ORDERD_HARNESS_CRASHES` raises it.
const CRASHES: u64 = 100;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let crashes = setting("ORDERD_HARNESS_CRASHES").unwrap_or(CRASHES);
    campaign::holds("crash", &Site::new(None), &Cut::Kill, crashes);
}

#[cfg(feature = "mutants")]
#[test]
fn answering_before_the_commit_is_caught_by_kill_9() {
    campaign::catches(
        "crash",
        &Site::new(Some("answer-before-commit")),
        &Cut::Kill,
        CRASHES,
    );
}

#[cfg(feature = "mutants")]
#[test]
fn order_and_key_in_separate_transactions_are_caught_by_kill_9() {
    campaign::catches(
        "crash",
        &Site::new(Some("split-transaction")),
        &Cut::Kill,
        CRASHES,
    );
}

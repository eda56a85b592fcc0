//! Bugs that are planted in what writes the file, and the harnesses that catch them.

use crate::campaign::{self, Cut};
use crate::crash::CRASHES;
use crate::harness::{Site, alone};
use crate::races::race;

#[test]
fn answering_before_the_commit_is_caught_by_kill_9() {
    let site = Site::new(Some("answer-before-commit"));
    campaign::catches("crash", &site, &Cut::Kill, CRASHES);
}

#[test]
fn order_and_key_in_separate_transactions_are_caught_by_kill_9() {
    let site = Site::new(Some("split-transaction"));
    campaign::catches("crash", &site, &Cut::Kill, CRASHES);
}

#[test]
fn checking_and_inserting_apart_is_caught_by_races() {
    let _turn = alone();
    let site = Site::new(Some("check-then-insert"));
    let tally = race(&site, &site.start().unwrap());
    assert!(tally.violations() > 0, "the mutant was not caught");
}

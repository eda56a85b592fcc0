use super::*;
use crate::id::from_halves;
use crate::order::{Contract, Progress};
use crate::place::{Draft as Asked, Occasion, place};
use crate::product::Prices;
use crate::{Currency, CustomerId, EventId, ItemId, Letter, Line, Money, OrderId, Quantity};
use std::collections::{HashMap, HashSet, VecDeque};

/// More tries than any limit here.
const TRIES: u32 = 3;
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

pub(super) fn rules(inventory: Inventory) -> Rules {
    Rules {
        inventory,
        tries_max: 2,
        tries_max_to_end: 2,
        deadline_ms: 1_000,
        retry: Retry {
            base_ms: 200,
            max_ms: 30_000,
        },
    }
}

fn line(item_id: &str, quantity: u64) -> Line {
    Line {
        item_id: ItemId::parse(item_id),
        name: None,
        quantity: Quantity::parse(quantity).unwrap(),
        unit_price_minor: Money::from_minor(100),
    }
}

pub(super) fn placed() -> Case {
    let draft = Asked {
        contract: Contract(0),
        customer_id: CustomerId::parse("ada"),
        customer_name: None,
        currency: Some(Currency::USD),
        lines: vec![line("pen", 2), line("ink", 1), line("pen", 1)],
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    };
    let occasion = Occasion {
        order_id: OrderId::new(from_halves(1, 1)),
        event_id: EventId::new(from_halves(2, 0)),
        now: NOW,
        fulfil_at: NOW,
        traceparent: None,
    };
    let write_set = place(draft, &Prices::none(Currency::USD), occasion, None).unwrap();
    let order = write_set
        .changes
        .into_iter()
        .find_map(|change| match change {
            Change::Place(order, _) => Some(*order),
            _ => None,
        });
    Case::new(order.unwrap())
}

pub(super) fn at<T>(now: Timestamp, act: impl FnOnce(&mut Moment<'_>) -> T) -> T {
    let mut id = 10;
    let mut ids = || {
        id += 1;
        EventId::new(from_halves(id, 0))
    };
    act(&mut Moment {
        now,
        random: 7,
        ids: &mut ids,
    })
}

pub(super) fn counted() -> Vec<ItemId> {
    vec![ItemId::parse("pen").unwrap()]
}

/// All that a provider may say to a call.
fn answers(kind: CallKind) -> Vec<Answer> {
    let failed = Answer::Failed("no answer".into(), None);
    match kind {
        CallKind::Reserve => vec![
            Answer::Done,
            Answer::Refused(Refused::OutOfStock, "none left".into()),
            failed,
        ],
        CallKind::Look => vec![Answer::Done, Answer::NotCaptured, failed],
        CallKind::Void => vec![
            Answer::Done,
            Answer::Captured,
            Answer::Refused(Refused::Declined, "no".into()),
            failed,
        ],
        CallKind::Authorise
        | CallKind::Capture
        | CallKind::Commit
        | CallKind::Release
        | CallKind::Refund => vec![
            Answer::Done,
            Answer::Refused(Refused::Declined, "no".into()),
            failed,
        ],
    }
}

/// What every decision keeps to, whatever it decides.
fn check(was: &Case, decision: &Decision) {
    let (before, after) = (&was.order, &decision.case.order);
    if decision.changes.is_empty() {
        assert_eq!(was, &decision.case);
        return;
    }
    assert_eq!(after.version, before.version + 1);
    assert!(
        before.status == after.status || before.status.allowed().contains(&after.status),
        "{:?} to {:?}",
        before.status,
        after.status
    );
    assert!(decision.changes.len() <= crate::write_set::ROWS_MAX);
    let open: Vec<&Transfer> = transfer::open(&decision.case.transfers).collect();
    let ended = matches!(
        after.status,
        Status::Completed | Status::Failed | Status::Cancelled
    );
    let under_way = matches!(after.status, Status::Processing | Status::Compensating);
    assert_eq!(under_way, after.progress.deadline_at.is_some(), "{after:?}");
    assert!(!under_way || after.progress.step.is_some(), "{after:?}");
    if ended {
        assert!(open.is_empty(), "{after:?} {open:?}");
        assert_eq!(decision.then, Then::Rest);
    }
    assert_eq!(
        after.status == Status::Failed,
        after.status == Status::Failed && after.failure.is_some()
    );
    for change in &decision.changes {
        if let Change::Record { body, .. } = change {
            let letter = Letter::read(body.as_deref().unwrap()).unwrap();
            let needs_review = after.status == Status::NeedsReview;
            assert_eq!(letter.needs_ruling(), needs_review, "{letter:?}");
        }
    }
    let held: i64 = stock_held(&decision.case.transfers);
    let moved: i64 = decision.changes.iter().map(reserved).sum();
    assert_eq!(held - stock_held(&was.transfers), moved);
}

fn stock_held(transfers: &[Transfer]) -> i64 {
    transfer::open(transfers)
        .filter(|transfer| matches!(transfer.asset, Asset::Item(_)))
        .map(|transfer| i64::try_from(transfer.amount).unwrap())
        .sum()
}

fn reserved(change: &Change) -> i64 {
    match change {
        Change::Stock(movement) => movement.reserved,
        _ => 0,
    }
}

/// Every state that can be reached, with every way on from it. Ids, times and counts that only
/// grow are left out of a state, so that there is an end of them.
fn explore(inventory: Inventory) -> HashMap<String, usize> {
    let rules = rules(inventory);
    let mut ends: HashMap<String, usize> = HashMap::new();
    let mut seen = HashSet::new();
    let mut waiting = VecDeque::from([placed()]);
    while let Some(case) = waiting.pop_front() {
        let (order, progress) = (&case.order, case.order.progress);
        let state = format!(
            "{:?} {progress:?} {:?} {:?}",
            order.status, order.failure, case.transfers
        );
        // A call that has to succeed is tried until the deadline: more tries change nothing.
        if progress.tries > TRIES || !seen.insert(state) {
            continue;
        }
        let mut ways = Vec::new();
        let late = NOW.plus_millis(5_000);
        for now in [NOW, late] {
            match at(now, |moment| next(&case, &rules, moment)) {
                Next::Rest => {
                    *ends.entry(format!("{:?}", order.status)).or_default() += 1;
                }
                Next::Write(decision) => ways.push(*decision),
                Next::Ask(call) => {
                    assert_eq!(call.round, progress.round);
                    for answer in answers(call.kind) {
                        ways.push(at(NOW, |moment| {
                            answered(case.clone(), answer, &counted(), &rules, moment)
                        }));
                    }
                }
            }
        }
        let why = || serde_json::json!({ "actor": "ada" });
        ways.extend(at(NOW, |moment| {
            cancel(case.clone(), &rules, why(), moment).ok()
        }));
        for ruling in [Ruling::Complete, Ruling::Undo] {
            ways.extend(at(NOW, |moment| {
                rule(case.clone(), ruling, &rules, why(), moment).ok()
            }));
        }
        for decision in ways {
            check(&case, &decision);
            waiting.push_back(decision.case);
        }
    }
    ends
}

#[test]
fn every_way_keeps_the_rules_and_comes_to_an_end() {
    for inventory in [Inventory::Own, Inventory::Outside] {
        let ends = explore(inventory);
        for status in ["Completed", "Failed", "Cancelled", "NeedsReview"] {
            assert!(ends.contains_key(status), "{inventory:?} {ends:?}");
        }
        assert_eq!(ends.len(), 4, "{inventory:?} {ends:?}");
    }
}

/// Goes on with one answer for each call until nothing is left to do; the calls that were made.
fn run(
    mut case: Case,
    rules: &Rules,
    mut answer: impl FnMut(&Call) -> Answer,
) -> (Case, Vec<String>) {
    let mut calls = Vec::new();
    loop {
        let decision = match at(NOW, |moment| next(&case, rules, moment)) {
            Next::Rest => return (case, calls),
            Next::Write(decision) => *decision,
            Next::Ask(call) => {
                calls.push(call.kind.as_str().to_owned());
                let answer = answer(&call);
                at(NOW, |moment| {
                    answered(case.clone(), answer, &counted(), rules, moment)
                })
            }
        };
        check(&case, &decision);
        case = decision.case;
    }
}

#[test]
fn an_order_is_reserved_authorised_and_captured_and_its_stock_goes_with_it() {
    let (case, calls) = run(placed(), &rules(Inventory::Own), |_| Answer::Done);
    assert_eq!(calls, ["reserve", "authorise", "capture"]);
    assert_eq!(case.order.status, Status::Completed);
    assert_eq!(case.order.version, 4);
    assert_eq!(case.order.captured_minor, Money::from_minor(400));
    let kinds: Vec<TransferKind> = case
        .transfers
        .iter()
        .map(|transfer| transfer.kind)
        .collect();
    let (pending, posted) = (TransferKind::Pending, TransferKind::Posted);
    assert_eq!(kinds, [pending, pending, posted(2), posted(1)]);
    assert_eq!(case.transfers[0].amount, 3, "equal items are one");

    let (case, calls) = run(placed(), &rules(Inventory::Outside), |_| Answer::Done);
    assert_eq!(calls, ["reserve", "authorise", "capture", "commit"]);
    assert_eq!(case.order.status, Status::Completed);
}

#[test]
fn what_was_begun_is_undone_in_reverse() {
    let failing = |at: CallKind| {
        move |call: &Call| match call.kind {
            kind if kind == at => Answer::Failed("away".into(), None),
            CallKind::Look => Answer::NotCaptured,
            _ => Answer::Done,
        }
    };
    let own = rules(Inventory::Own);
    let (case, calls) = run(placed(), &own, failing(CallKind::Capture));
    assert_eq!(case.order.status, Status::Failed);
    assert_eq!(
        calls,
        ["reserve", "authorise", "capture", "capture", "look", "void"]
    );
    let failure = case.order.failure.unwrap();
    assert_eq!(failure.reason, Reason::RetriesExhausted);
    assert_eq!(failure.step, Step::Capture);

    let outside = rules(Inventory::Outside);
    let (case, calls) = run(placed(), &outside, failing(CallKind::Authorise));
    assert_eq!(case.order.status, Status::Failed);
    assert_eq!(
        calls,
        ["reserve", "authorise", "authorise", "void", "release"]
    );
}

#[test]
fn a_capture_without_an_answer_that_took_place_completes_the_order() {
    let (case, calls) = run(placed(), &rules(Inventory::Own), |call| match call.kind {
        CallKind::Capture => Answer::Failed("no answer".into(), None),
        _ => Answer::Done,
    });
    assert_eq!(case.order.status, Status::Completed);
    assert_eq!(calls.last().unwrap(), "look");
}

#[test]
fn a_refusal_is_not_tried_again() {
    let (case, calls) = run(placed(), &rules(Inventory::Own), |call| match call.kind {
        CallKind::Authorise => Answer::Refused(Refused::Declined, "no money".into()),
        _ => Answer::Done,
    });
    assert_eq!(calls, ["reserve", "authorise"]);
    assert_eq!(case.order.failure.unwrap().reason, Reason::PaymentDeclined);

    let (case, calls) = run(placed(), &rules(Inventory::Own), |_| {
        Answer::Refused(Refused::OutOfStock, "none left".into())
    });
    assert_eq!(calls, ["reserve"]);
    assert_eq!(case.order.status, Status::Failed);
    assert_eq!(case.order.failure.unwrap().reason, Reason::StockUnavailable);
}

#[test]
fn a_redriven_order_has_effect_ids_of_its_own() {
    let own = rules(Inventory::Own);
    let (failed, _) = run(placed(), &own, |_| {
        Answer::Refused(Refused::OutOfStock, "none left".into())
    });
    let again = at(NOW, |moment| redrive(failed, serde_json::json!({}), moment))
        .unwrap()
        .case;
    assert_eq!(
        again.order.progress,
        Progress {
            round: 2,
            ..Progress::default()
        }
    );
    let mut ids = Vec::new();
    let (case, _) = run(again, &own, |call| {
        ids.push(call.effect_id());
        Answer::Done
    });
    assert_eq!(case.order.status, Status::Completed);
    assert!(ids.iter().all(|id| id.ends_with(":2")), "{ids:?}");
}

#[test]
fn waits_are_bounded_and_grow() {
    let retry = rules(Inventory::Own).retry;
    for random in [0, 1, 199, 1 << 40, u64::MAX] {
        for (tries, bound) in [(1, 200), (2, 400), (5, 3_200), (9, 30_000), (64, 30_000)] {
            let wait = retry.wait(tries, random, None);
            assert!((1..=bound).contains(&wait), "{tries} {wait}");
        }
    }
    assert_eq!(retry.wait(1, 0, Some(7_000)), 7_000);
    assert_eq!(retry.wait(1, 0, Some(i64::MAX)), 30_000);
}

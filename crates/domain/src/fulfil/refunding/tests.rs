use super::super::tests::{at, counted, placed, rules};
use super::super::{Call, CallKind, Inventory, Next, Refused, answered, next, redrive};
use super::*;
use crate::{Change, Timestamp};
use serde_json::json;
use std::collections::HashSet;

const NOW: Timestamp = Timestamp::from_millis(2_000_000);

/// An order over 400 that was completed, of which three pens were taken from the stock.
fn completed() -> Case {
    let rules = rules(Inventory::Own);
    let mut case = placed();
    while case.order.status != Status::Completed {
        case = match at(NOW, |moment| next(&case, &rules, moment)) {
            Next::Write(decision) => decision.case,
            Next::Ask(_) => {
                at(NOW, |moment| {
                    answered(case, Answer::Done, &counted(), &rules, moment)
                })
                .case
            }
            Next::Rest => panic!("it is not completed"),
        };
    }
    case
}

fn ask(case: Case, amount: Option<i64>, restock: bool) -> Result<Case, Refusal> {
    let amount = amount.map(Money::from_minor);
    let why = json!({ "actor": "ada", "reason": "broken" });
    // Ids of events that are far from those of answers.
    let mut id = 1_000 + u64::from(case.order.newest_sequence);
    let mut ids = || {
        id += 1;
        crate::EventId::new(crate::id::from_halves(id, 0))
    };
    let mut moment = Moment {
        now: NOW,
        random: 7,
        ids: &mut ids,
    };
    refund(case, amount, restock, why, &mut moment).map(|decision| decision.case)
}

fn due_call(case: &Case) -> Option<Call> {
    match at(NOW, |moment| next(case, &rules(Inventory::Own), moment)) {
        Next::Ask(call) => Some(call),
        Next::Rest => None,
        Next::Write(decision) => panic!("{decision:?}"),
    }
}

fn answer(case: Case, answer: Answer) -> Decision {
    at(NOW, |moment| {
        answered(case, answer, &[], &rules(Inventory::Own), moment)
    })
}

fn kinds(decision: &Decision) -> Vec<&'static str> {
    let kind = |change: &Change| match change {
        Change::Event(event) => Some(event.kind.as_str()),
        _ => None,
    };
    decision.changes.iter().filter_map(kind).collect()
}

#[test]
fn parts_are_given_back_until_all_is() {
    let case = ask(completed(), Some(150), false).unwrap();
    let call = due_call(&case).unwrap();
    assert_eq!(
        (call.kind, call.amount.as_minor()),
        (CallKind::Refund, 150),
        "{call:?}"
    );
    let id = case.refunds[0].id;
    assert_eq!(
        call.effect_id(),
        format!("{}:refund:{id}", case.order.id),
        "its own name, whatever the round"
    );

    let part = answer(case, Answer::Done);
    assert_eq!(kinds(&part), ["payment.refunded.v1"]);
    assert_eq!(part.case.order.status, Status::Completed);
    assert_eq!(part.case.order.refunded_minor.as_minor(), 150);
    let reversal = part.case.transfers.last().unwrap();
    assert_eq!(
        (reversal.kind, reversal.amount),
        (TransferKind::Reversal, 150)
    );
    assert_eq!(
        (reversal.debit.as_str(), reversal.credit.as_str()),
        ("sales", "customers")
    );
    assert_eq!(due_call(&part.case), None);

    let rest = answer(ask(part.case, None, false).unwrap(), Answer::Done);
    assert_eq!(kinds(&rest), ["payment.refunded.v1", "order.refunded.v1"]);
    assert_eq!(rest.case.order.status, Status::Refunded);
    assert_eq!(due_call(&rest.case), None);
}

#[test]
fn no_more_is_given_back_than_was_taken_not_even_by_refunds_under_way() {
    let case = ask(completed(), Some(300), false).unwrap();
    let left = Money::from_minor(100);
    for amount in [101, 0, -1] {
        assert_eq!(
            ask(case.clone(), Some(amount), false),
            Err(Refusal::RefundTooLarge { left })
        );
    }
    let case = ask(case, None, false).unwrap();
    assert_eq!(
        ask(case.clone(), None, false),
        Err(Refusal::RefundTooLarge { left: Money::ZERO })
    );
    // One that is refused leaves its amount to others.
    let refused = Answer::Refused(Refused::Declined, "closed account".into());
    let decision = answer(case, refused);
    assert_eq!(kinds(&decision), ["refund.failed.v1"]);
    assert_eq!(decision.case.refunds[0].state, RefundState::Failed);
    assert_eq!(
        decision.case.refunds[0].detail.as_deref(),
        Some("closed account")
    );
    ask(decision.case, Some(300), false).unwrap();
}

#[test]
fn only_a_completed_order_has_something_to_give_back() {
    let illegal = Refusal::IllegalTransition {
        from: Status::Created,
        to: Status::Refunded,
    };
    assert_eq!(ask(placed(), None, false), Err(illegal));
}

#[test]
fn goods_that_came_back_are_there_again_once() {
    let case = ask(completed(), Some(1), true).unwrap();
    let decision = answer(case, Answer::Done);
    let Change::Stock(movement) = &decision.changes[0] else {
        panic!("stock comes first: {:?}", decision.changes);
    };
    assert_eq!(
        (
            movement.item_id.as_str(),
            movement.on_hand,
            movement.reserved
        ),
        ("pen", 3, 0)
    );
    let again = answer(ask(decision.case, None, true).unwrap(), Answer::Done);
    let stock = |change: &Change| matches!(change, Change::Stock(_));
    assert!(!again.changes.iter().any(stock), "{:?}", again.changes);
}

#[test]
fn what_nobody_knows_is_asked_for_under_the_same_name_and_then_rests_until_it_is_brought_back() {
    let mut case = ask(completed(), None, false).unwrap();
    let mut names = HashSet::new();
    let mut letters = 0;
    while let Some(call) = due_call(&case) {
        names.insert(call.effect_id());
        let decision = answer(case, Answer::Failed("no answer".into(), None));
        letters += decision
            .changes
            .iter()
            .filter(|change| matches!(change, Change::Record { was: 0, .. }))
            .count();
        case = decision.case;
    }
    assert_eq!(
        case.refunds[0].tries,
        rules(Inventory::Own).tries_max_to_end
    );
    assert_eq!((names.len(), letters), (1, 1));
    assert_eq!(case.refunds[0].state, RefundState::Pending);

    let back = at(NOW, |moment| redrive(case, json!({}), moment)).unwrap();
    assert_eq!(back.case.order.status, Status::Completed);
    names.insert(due_call(&back.case).unwrap().effect_id());
    assert_eq!(names.len(), 1, "it may have come about before");
    let decision = answer(back.case, Answer::Done);
    assert_eq!(decision.case.order.status, Status::Refunded);
}

#[test]
fn the_events_tell_what_the_case_knows() {
    let start = completed();
    let mut events = Vec::new();
    let mut case = ask(start, Some(7), true).unwrap();
    let asked = case.refunds[0].clone();
    for said in [Answer::Failed("hm".into(), None), Answer::Done] {
        let decision = answer(case, said);
        events.extend(decision.changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event.clone()),
            _ => None,
        }));
        case = decision.case;
    }
    let mut told = vec![asked];
    for event in &events {
        crate::refund::follow(&mut told, event);
    }
    assert_eq!(told, case.refunds);
    assert_eq!(told[0].reason.as_deref(), Some("broken"));
    assert_eq!((told[0].state, told[0].tries), (RefundState::Succeeded, 1));
}

//! What each answer of a provider leads to.

use super::call::{Answer, Call, CallKind, Refused};
use super::draft::{Draft, Moment};
use super::{
    Case, Decision, Inventory, Rules, Then, ended, enter, refunding, resolve, review, undo, undone,
};
use crate::order::{Reason, Step};
use crate::stock::asked_for;
use crate::transfer::{Asset, TransferKind};
use crate::{EventKind, ItemId, Money, Status};
use serde_json::json;

/// What the answer to the call that [`next`](super::next) asked for leads to. `counted` are the
/// items whose stock orderd counts.
pub fn answered(
    case: Case,
    answer: Answer,
    counted: &[ItemId],
    rules: &Rules,
    moment: &mut Moment<'_>,
) -> Decision {
    if let Answer::NotTried(wait_ms) = answer {
        let then = Then::Wait(wait_ms, "the provider is left alone for a while".into());
        return Decision {
            changes: Vec::new(),
            case,
            then,
        };
    }
    if case.order.status == Status::Completed {
        return refunding::answered(case, answer, rules, moment);
    }
    let step = case.order.progress.step.unwrap_or(Step::Reserve);
    let was_created = case.order.status == Status::Created;
    let mut draft = Draft::new(case, moment);
    enter(&mut draft, rules);
    match answer {
        Answer::Done => done(draft, step, counted, rules),
        Answer::Refused(why, detail) => {
            if was_created {
                // It has to be processing first; the next look undoes it.
                draft.step(step);
                draft.fail(reason(why), &detail);
                draft.end(Then::GoOn)
            } else {
                refused(draft, step, why, &detail, rules)
            }
        }
        Answer::Failed(detail, after_ms) => failed(draft, step, &detail, after_ms, rules),
        Answer::NotCaptured => {
            draft.fail(Reason::RetriesExhausted, "the capture did not come about");
            undo(draft, Step::Void, rules)
        }
        Answer::Captured => review(draft, "it was captured, though it was to be undone"),
        Answer::NotTried(_) => unreachable!("dealt with above"),
    }
}

fn done(mut draft: Draft<'_, '_>, step: Step, counted: &[ItemId], rules: &Rules) -> Decision {
    match step {
        Step::Reserve => {
            if rules.inventory == Inventory::Own {
                hold_stock(&mut draft, counted);
            } else {
                draft.event(EventKind::StockReserved, None);
            }
            draft.step(Step::Authorise);
            draft.end(Then::GoOn)
        }
        Step::Authorise => {
            let (currency, amount) = money(&draft);
            if amount > 0 {
                draft.transfer(TransferKind::Pending, Asset::Money(currency), amount);
            }
            draft.event(EventKind::PaymentAuthorised, None);
            draft.step(Step::Capture);
            draft.end(Then::GoOn)
        }
        Step::Capture => captured(draft, rules),
        Step::Commit => {
            draft.event(EventKind::StockCommitted, None);
            ended(draft, Status::Completed)
        }
        Step::Void => {
            resolve(
                &mut draft,
                |asset| matches!(asset, Asset::Money(_)),
                TransferKind::Voided,
            );
            draft.event(EventKind::PaymentVoided, None);
            if rules.inventory == Inventory::Own {
                return undone(draft);
            }
            draft.step(Step::Release);
            draft.end(Then::GoOn)
        }
        Step::Release => {
            draft.event(EventKind::StockReleased, None);
            undone(draft)
        }
    }
}

/// The pivot: from here on the order is completed, whatever it takes.
fn captured(mut draft: Draft<'_, '_>, rules: &Rules) -> Decision {
    resolve(
        &mut draft,
        |asset| matches!(asset, Asset::Money(_)),
        TransferKind::Posted,
    );
    draft.case.order.captured_minor = draft.case.order.total_minor;
    draft.event(EventKind::PaymentCaptured, None);
    if rules.inventory == Inventory::Outside {
        draft.step(Step::Commit);
        return draft.end(Then::GoOn);
    }
    let taken = resolve(
        &mut draft,
        |asset| matches!(asset, Asset::Item(_)),
        TransferKind::Posted,
    );
    for (item_id, amount) in taken {
        draft.stock(item_id, -amount, -amount);
    }
    ended(draft, Status::Completed)
}

/// Holds what the order asks for of the items whose stock is counted.
fn hold_stock(draft: &mut Draft<'_, '_>, counted: &[ItemId]) {
    let lines = std::mem::take(&mut draft.case.order.lines);
    let mut held = false;
    for (item_id, amount) in asked_for(&lines) {
        if counted.contains(item_id) {
            let pieces = i64::try_from(amount).unwrap_or(i64::MAX);
            draft.stock(item_id.clone(), 0, pieces);
            draft.transfer(TransferKind::Pending, Asset::Item(item_id.clone()), amount);
            held = true;
        }
    }
    draft.case.order.lines = lines;
    if held {
        draft.event(EventKind::StockReserved, None);
    }
}

fn refused(
    mut draft: Draft<'_, '_>,
    step: Step,
    why: Refused,
    detail: &str,
    rules: &Rules,
) -> Decision {
    match step {
        Step::Reserve => {
            draft.fail(reason(why), detail);
            undo(draft, Step::Release, rules)
        }
        Step::Authorise => {
            draft.fail(reason(why), detail);
            draft.event(
                EventKind::PaymentDeclined,
                Some(json!({ "detail": detail })),
            );
            undo(draft, Step::Release, rules)
        }
        Step::Capture => {
            draft.fail(reason(why), detail);
            draft.event(
                EventKind::PaymentDeclined,
                Some(json!({ "detail": detail })),
            );
            undo(draft, Step::Void, rules)
        }
        Step::Commit | Step::Void | Step::Release => review(draft, detail),
    }
}

/// One more try that failed: another one later, or no other.
fn failed(
    mut draft: Draft<'_, '_>,
    step: Step,
    detail: &str,
    after_ms: Option<i64>,
    rules: &Rules,
) -> Decision {
    let progress = &mut draft.case.order.progress;
    progress.step = Some(step);
    progress.tries += 1;
    let tries = progress.tries;
    let tries_max = match step {
        Step::Reserve | Step::Authorise => rules.tries_max,
        Step::Void | Step::Release => rules.tries_max_to_end,
        // Past the pivot it is tried for as long as it takes.
        Step::Capture | Step::Commit => u32::MAX,
    };
    let wait_ms = rules.retry.wait(tries, draft.moment.random, after_ms);
    let wait_ms = (tries < tries_max).then_some(wait_ms);
    let payload = json!({
        "step": step.as_str(),
        "try": tries,
        "detail": detail,
        "effect_id": Call::new(CallKind::of(step), &draft.case.order).effect_id(),
        "again_in_ms": wait_ms,
    });
    draft.event(EventKind::TryFailed, Some(payload));
    match (wait_ms, step) {
        (Some(wait_ms), _) => draft.end(Then::Wait(wait_ms, detail.into())),
        (None, Step::Reserve) => {
            draft.fail(Reason::RetriesExhausted, detail);
            // A try may have taken effect where the stock is kept outside.
            draft.end(Then::GoOn)
        }
        (None, Step::Authorise) => {
            draft.fail(Reason::RetriesExhausted, detail);
            undo(draft, Step::Void, rules)
        }
        (None, _) => review(draft, detail),
    }
}

fn reason(why: Refused) -> Reason {
    match why {
        Refused::Declined => Reason::PaymentDeclined,
        Refused::OutOfStock => Reason::StockUnavailable,
    }
}

fn money(draft: &Draft<'_, '_>) -> (crate::Currency, u64) {
    let order = &draft.case.order;
    let amount = order.total_minor.max(Money::ZERO).as_minor();
    (order.currency, amount.cast_unsigned())
}

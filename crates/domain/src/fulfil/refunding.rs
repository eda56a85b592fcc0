//! Giving money of a completed order back.
//!
//! Only the payment service can say whether a refund came about: it is asked under one effect id
//! until it does. Where it says nothing for too long, the refund rests among the dead letters, is
//! still pending, and goes on from there.

use super::call::{Answer, Call};
use super::draft::{Draft, Moment};
use super::operate::illegal;
use super::{Case, Decision, Rules, Then};
use crate::letter::Letter;
use crate::refund::{RefundState, claimed};
use crate::transfer::{Asset, TransferKind};
use crate::{EventKind, ItemId, Money, Refund, Refusal, Status};
use serde_json::Value;
use std::collections::BTreeMap;

/// Asks for `amount` of a completed order to be given back, or for all that is left. `restock`:
/// the goods came back, and those whose stock is counted are there again. `why` is who asked and
/// for what reason.
///
/// # Errors
/// [`Refusal::IllegalTransition`]; [`Refusal::RefundTooLarge`], also where nothing is left.
pub fn refund(
    case: Case,
    amount: Option<Money>,
    restock: bool,
    why: Value,
    moment: &mut Moment<'_>,
) -> Result<Decision, Refusal> {
    if case.order.status != Status::Completed {
        return Err(illegal(&case.order, Status::Refunded));
    }
    let captured = case.order.captured_minor.as_minor();
    let left = Money::from_minor(captured - claimed(&case.refunds));
    let amount = amount.unwrap_or(left);
    if amount > left || amount <= Money::ZERO {
        return Err(Refusal::RefundTooLarge { left });
    }
    let mut draft = Draft::new(case, moment);
    let asked = Refund::asked(amount, restock, why);
    draft.event(EventKind::RefundRequested, Some(asked));
    Ok(draft.end(Then::GoOn))
}

/// The refund that is to be asked for next; none where all are done, or rest.
pub(super) fn due<'c>(case: &'c Case, rules: &Rules) -> Option<&'c Refund> {
    case.refunds.iter().find(|refund| {
        refund.state == RefundState::Pending && refund.tries < rules.tries_max_to_end
    })
}

/// What the answer to the call for the refund that is due leads to.
pub(super) fn answered(
    case: Case,
    answer: Answer,
    rules: &Rules,
    moment: &mut Moment<'_>,
) -> Decision {
    let refund = due(&case, rules).cloned();
    let mut draft = Draft::new(case, moment);
    let Some(refund) = refund else {
        return draft.end(Then::Rest);
    };
    match answer {
        Answer::Done => done(&mut draft, &refund),
        Answer::Failed(detail, after_ms) => {
            return failed(draft, &refund, &detail, after_ms, rules);
        }
        Answer::Refused(_, detail) => {
            draft.event(EventKind::RefundFailed, Some(refund.became(&detail)));
        }
        Answer::NotTried(_) | Answer::NotCaptured | Answer::Captured => {
            unreachable!("no answer to a call for a refund")
        }
    }
    draft.end(Then::GoOn)
}

fn done(draft: &mut Draft<'_, '_>, refund: &Refund) {
    let currency = Asset::Money(draft.case.order.currency);
    let amount = refund.amount.as_minor();
    draft.transfer(TransferKind::Reversal, currency, amount.unsigned_abs());
    if refund.restock {
        for (item_id, amount) in sold(&draft.case) {
            let pieces = i64::try_from(amount).unwrap_or(i64::MAX);
            draft.stock(item_id.clone(), pieces, 0);
            draft.transfer(TransferKind::Reversal, Asset::Item(item_id), amount);
        }
    }
    draft.event(EventKind::PaymentRefunded, Some(refund.became("")));

    let refunded = draft.case.order.refunded_minor.as_minor() + amount;
    draft.case.order.refunded_minor = Money::from_minor(refunded);
    if draft.case.order.refunded_minor == draft.case.order.captured_minor {
        draft.case.order.status = Status::Refunded;
        draft.event(EventKind::OrderRefunded, None);
    }
}

/// What was taken out of the stock for an order and is not back, and how many.
fn sold(case: &Case) -> BTreeMap<ItemId, u64> {
    let mut sold: BTreeMap<ItemId, u64> = BTreeMap::new();
    for transfer in &case.transfers {
        let Asset::Item(item) = &transfer.asset else {
            continue;
        };
        match transfer.kind {
            TransferKind::Posted(_) => *sold.entry(item.clone()).or_default() += transfer.amount,
            // All of an item comes back at once.
            TransferKind::Reversal => drop(sold.remove(item)),
            _ => {}
        }
    }
    sold
}

fn failed(
    mut draft: Draft<'_, '_>,
    refund: &Refund,
    detail: &str,
    after_ms: Option<i64>,
    rules: &Rules,
) -> Decision {
    let tries = refund.tries + 1;
    let wait_ms = rules.retry.wait(tries, draft.moment.random, after_ms);
    let wait_ms = (tries < rules.tries_max_to_end).then_some(wait_ms);
    let mut payload = refund.became(detail);
    payload["step"] = "refund".into();
    payload["try"] = tries.into();
    payload["effect_id"] = Call::refund(&draft.case.order, refund).effect_id().into();
    payload["again_in_ms"] = wait_ms.into();
    draft.event(EventKind::TryFailed, Some(payload));
    if let Some(wait_ms) = wait_ms {
        return draft.end(Then::Wait(wait_ms, detail.into()));
    }
    let letter = Letter::of_refund(&draft.case.order, tries, detail, draft.moment.now);
    draft.bury(&letter);
    draft.end(Then::GoOn)
}

#[cfg(test)]
mod tests;

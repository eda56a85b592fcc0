//! Fulfilment: reserve the stock, authorise the payment, capture it, commit the stock; or undo
//! what was begun. A pure machine: from a case and the last answer to the next call or the next
//! write set.
//!
//! The capture is the pivot. Before it every step can be undone; after it only retried. The step
//! on the order is the intent of the next call, written with the result of the last one: a crash
//! anywhere repeats a call under the same effect id, and nothing else. Whoever asks and whoever
//! writes is not here.

mod answers;
pub mod call;
mod draft;
mod operate;
mod refunding;
pub mod retry;

pub use answers::answered;
pub use call::{Answer, Call, CallKind, Refused};
pub use draft::Moment;
pub use operate::{Ruling, cancel, discard, note, redrive, resume, rule};
pub use refunding::refund;
pub use retry::Retry;

use crate::order::{Aim, Failure, Reason, Step};
use crate::transfer::{self, Asset, TransferKind};
use crate::{Change, EventKind, Order, Refund, Status, Timestamp, Transfer};
use draft::Draft;

/// An order under fulfilment, with all that was moved for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The order.
    pub order: Order,
    /// Its transfers, in the order of their numbers.
    pub transfers: Vec<Transfer>,
    /// Its refunds, the oldest first; only a completed order has any.
    pub refunds: Vec<Refund>,
}

impl Case {
    /// An order of which nothing else is known.
    #[must_use]
    pub const fn new(order: Order) -> Self {
        Self {
            order,
            transfers: Vec::new(),
            refunds: Vec::new(),
        }
    }
}

/// How orders are fulfilled here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Who keeps the stock.
    pub inventory: Inventory,
    /// How many tries of a step before the pivot may fail.
    pub tries_max: u32,
    /// How many tries of a step that has to succeed may fail: the capture, and undoing.
    pub tries_max_to_end: u32,
    /// How long an order may be processing, and again how long it may be compensating, in ms.
    pub deadline_ms: i64,
    /// How long to wait between two tries.
    pub retry: Retry,
}

/// Who keeps the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inventory {
    /// orderd: stock moves in the commit that says so.
    Own,
    /// A service outside: stock is asked for by calls.
    Outside,
}

/// What is to be done next with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask a provider, then [`answered`].
    Ask(Call),
    /// Write this, then look again.
    Write(Box<Decision>),
    /// Nothing, until somebody else moves the order.
    Rest,
}

/// What was decided: all of it is to be written at once, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What changes. Stock comes first: where its guard fails, nothing was written yet.
    pub changes: Vec<Change>,
    /// The case once that is written.
    pub case: Case,
    /// What then.
    pub then: Then,
}

/// What comes after a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next step, at once.
    GoOn,
    /// The same again, so many ms later, for this reason.
    Wait(i64, Box<str>),
    /// Nothing.
    Rest,
}

/// What is to be done next.
pub fn next(case: &Case, rules: &Rules, moment: &mut Moment<'_>) -> Next {
    let order = &case.order;
    if !order.fulfil {
        return Next::Rest;
    }
    let ask = |kind| Next::Ask(Call::new(kind, order));
    let write = |decision| Next::Write(Box::new(decision));
    match (order.status, order.progress.step) {
        (Status::Created, _) if rules.inventory == Inventory::Outside => {
            write(begin(case.clone(), rules, moment))
        }
        (Status::Created, _) => ask(CallKind::Reserve),
        (Status::Processing | Status::Compensating, Some(_)) if is_overdue(order, moment.now) => {
            write(overdue(case.clone(), rules, moment))
        }
        (Status::Processing, Some(_)) if order.failure.is_some() => {
            let draft = Draft::new(case.clone(), moment);
            write(undo(draft, Step::Release, rules))
        }
        (Status::Processing, Some(Step::Capture))
            if order.progress.tries >= rules.tries_max_to_end =>
        {
            ask(CallKind::Look)
        }
        (Status::Compensating, Some(Step::Release)) if rules.inventory == Inventory::Own => {
            write(undone(Draft::new(case.clone(), moment)))
        }
        (Status::Processing | Status::Compensating, Some(step)) => ask(CallKind::of(step)),
        (Status::Completed, _) => match refunding::due(case, rules) {
            Some(refund) => Next::Ask(Call::refund(order, refund)),
            None => Next::Rest,
        },
        _ => Next::Rest,
    }
}

/// Created to processing, with the call to the inventory as the intent.
fn begin(case: Case, rules: &Rules, moment: &mut Moment<'_>) -> Decision {
    let mut draft = Draft::new(case, moment);
    enter(&mut draft, rules);
    draft.step(Step::Reserve);
    draft.end(Then::GoOn)
}

fn enter(draft: &mut Draft<'_, '_>, rules: &Rules) {
    if draft.case.order.status == Status::Created {
        draft.case.order.status = Status::Processing;
        draft.deadline(rules.deadline_ms);
        draft.event(EventKind::OrderProcessing, None);
    }
}

fn is_overdue(order: &Order, now: Timestamp) -> bool {
    order.progress.deadline_at.is_some_and(|at| at <= now)
}

/// Nothing rests for ever: what did not come about in time is undone, and where nobody can say
/// what came about, a person has to look.
fn overdue(case: Case, rules: &Rules, moment: &mut Moment<'_>) -> Decision {
    let (status, step) = (case.order.status, case.order.progress.step);
    let mut draft = Draft::new(case, moment);
    match (status, step) {
        (Status::Processing, Some(Step::Reserve)) => {
            draft.fail(Reason::RetriesExhausted, "it took too long");
            undo(draft, Step::Release, rules)
        }
        (Status::Processing, Some(Step::Authorise)) => {
            draft.fail(Reason::RetriesExhausted, "it took too long");
            undo(draft, Step::Void, rules)
        }
        _ => review(draft, "it took too long, and what came about is not known"),
    }
}

/// Begins to undo, with `first`.
fn undo(mut draft: Draft<'_, '_>, first: Step, rules: &Rules) -> Decision {
    draft.case.order.status = Status::Compensating;
    draft.step(first);
    draft.deadline(rules.deadline_ms);
    draft.event(EventKind::OrderCompensating, None);
    draft.end(Then::GoOn)
}

/// All that was begun is undone: what is still held is let go of, and the order is over.
fn undone(mut draft: Draft<'_, '_>) -> Decision {
    release_stock(&mut draft);
    let status = match draft.case.order.progress.aim {
        Aim::Complete => Status::Failed,
        Aim::Cancel => Status::Cancelled,
    };
    ended(draft, status)
}

fn ended(mut draft: Draft<'_, '_>, status: Status) -> Decision {
    let order = &mut draft.case.order;
    order.status = status;
    order.progress.step = None;
    order.progress.tries = 0;
    order.progress.deadline_at = None;
    if status == Status::Cancelled {
        order.failure = None;
    }
    let failure = order.failure.clone();
    let kind = match status {
        Status::Cancelled => EventKind::OrderCancelled,
        Status::Failed => EventKind::OrderFailed,
        _ => EventKind::OrderCompleted,
    };
    draft.event(kind, failure.as_ref().map(Failure::to_json));
    if let Some(failure) = failure.filter(|_| status == Status::Failed) {
        draft.letter(&failure);
    }
    draft.end(Then::Rest)
}

/// Nobody but a person can say what happened.
fn review(mut draft: Draft<'_, '_>, detail: &str) -> Decision {
    let order = &draft.case.order;
    let failure = Failure {
        reason: match order.status {
            Status::Compensating => Reason::CompensationFailed,
            _ => Reason::RetriesExhausted,
        },
        step: order.progress.step.unwrap_or(Step::Reserve),
        tries: order.progress.tries,
        detail: detail.into(),
    };
    let order = &mut draft.case.order;
    order.status = Status::NeedsReview;
    order.progress.deadline_at = None;
    order.failure.get_or_insert_with(|| failure.clone());
    let mut payload = failure.to_json();
    // What to ask the provider for.
    payload["effect_id"] = Call::new(CallKind::of(failure.step), order)
        .effect_id()
        .into();
    draft.event(EventKind::OrderNeedsReview, Some(payload));
    draft.letter(&failure);
    draft.end(Then::Rest)
}

/// Stock that is held is let go of.
fn release_stock(draft: &mut Draft<'_, '_>) {
    let held = resolve(
        draft,
        |asset| matches!(asset, Asset::Item(_)),
        TransferKind::Voided,
    );
    for (item_id, amount) in &held {
        draft.stock(item_id.clone(), 0, -amount);
    }
    if !held.is_empty() {
        draft.event(EventKind::StockReleased, None);
    }
}

/// Ends the pending transfers of some assets; which items they were of, and how many.
fn resolve(
    draft: &mut Draft<'_, '_>,
    of: impl Fn(&Asset) -> bool,
    kind: impl Fn(u32) -> TransferKind,
) -> Vec<(crate::ItemId, i64)> {
    let open: Vec<Transfer> = transfer::open(&draft.case.transfers)
        .filter(|pending| of(&pending.asset))
        .cloned()
        .collect();
    let mut items = Vec::new();
    for pending in open {
        if let Asset::Item(item_id) = &pending.asset {
            let amount = i64::try_from(pending.amount).unwrap_or(i64::MAX);
            items.push((item_id.clone(), amount));
        }
        let kind = kind(pending.number);
        draft.transfer(kind, pending.asset, pending.amount);
    }
    items
}

#[cfg(test)]
mod tests;

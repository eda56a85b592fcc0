//! What people do to an order under fulfilment: cancel it, have it tried anew, decide what becomes
//! of it where nobody else can.

use super::draft::{Draft, Moment};
use super::{Case, Decision, Rules, Then, ended, undo};
use crate::order::{Aim, Step};
use crate::{EventKind, Order, Refusal, Status};
use serde_json::Value;

/// What a person decides of an order that needs review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is to be completed.
    Complete,
    /// What was begun is to be undone.
    Undo,
}

impl Ruling {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Undo => "undo",
        }
    }

    /// The ruling with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Complete, Self::Undo]
            .into_iter()
            .find(|ruling| ruling.as_str() == word)
    }
}

/// Cancels an order whose capture was not asked for: it is over, or what was begun is undone.
/// `why` is who did it and for what reason.
///
/// # Errors
/// [`Refusal::IllegalTransition`].
pub fn cancel(
    case: Case,
    rules: &Rules,
    why: Value,
    moment: &mut Moment<'_>,
) -> Result<Decision, Refusal> {
    let order = &case.order;
    let first = match (order.status, order.progress.step) {
        (Status::Created, _) => None,
        (Status::Processing, Some(Step::Reserve)) if order.failure.is_none() => Some(Step::Release),
        (Status::Processing, Some(Step::Authorise)) => Some(Step::Void),
        _ => return Err(illegal(order, Status::Cancelled)),
    };
    let mut draft = Draft::new(case, moment);
    draft.case.order.progress.aim = Aim::Cancel;
    draft.event(EventKind::CancelRequested, Some(why));
    Ok(match first {
        None => ended(draft, Status::Cancelled),
        Some(first) => undo(draft, first, rules),
    })
}

/// Adds a note to the timeline of an order, whatever it is up to; nothing else changes. `what` is the
/// note, and who wrote it.
pub fn note(case: Case, what: Value, moment: &mut Moment<'_>) -> Decision {
    let mut draft = Draft::new(case, moment);
    draft.event(EventKind::OrderNoted, Some(what));
    draft.end(Then::GoOn)
}

/// Lets an order that was given up be: only its timeline says so. `why` is who did it and for what
/// reason.
pub fn discard(case: Case, why: Value, moment: &mut Moment<'_>) -> Decision {
    let mut draft = Draft::new(case, moment);
    draft.event(EventKind::LetterDiscarded, Some(why));
    draft.end(Then::GoOn)
}

/// An order that could not be worked on at all goes on from where it is.
pub fn resume(case: Case, why: Value, moment: &mut Moment<'_>) -> Decision {
    let mut draft = Draft::new(case, moment);
    draft.event(EventKind::OrderRedriven, Some(why));
    draft.end(Then::GoOn)
}

/// An order that was given up is tried anew: the next round, with effect ids of its own. The
/// refunds of a completed one are tried again under those that they have.
///
/// # Errors
/// [`Refusal::IllegalTransition`].
pub fn redrive(case: Case, why: Value, moment: &mut Moment<'_>) -> Result<Decision, Refusal> {
    if case.order.status == Status::Completed {
        return Ok(resume(case, why, moment));
    }
    if case.order.status != Status::Failed {
        return Err(illegal(&case.order, Status::Created));
    }
    let mut draft = Draft::new(case, moment);
    let order = &mut draft.case.order;
    order.status = Status::Created;
    order.failure = None;
    order.progress.round += 1;
    draft.event(EventKind::OrderRedriven, Some(why));
    Ok(draft.end(Then::GoOn))
}

/// Goes on with an order that needs review, as a person says. `why` is a JSON object.
///
/// # Errors
/// [`Refusal::IllegalTransition`]: it needs none; or its money was taken, and to undo is to refund.
pub fn rule(
    case: Case,
    ruling: Ruling,
    rules: &Rules,
    mut why: Value,
    moment: &mut Moment<'_>,
) -> Result<Decision, Refusal> {
    let order = &case.order;
    let step = order.progress.step.unwrap_or(Step::Reserve);
    let next = match (ruling, step) {
        // To ask for the capture again is how to learn that it came about.
        (Ruling::Complete, Step::Void | Step::Release) => Step::Capture,
        (Ruling::Complete, step) => step,
        (Ruling::Undo, Step::Authorise | Step::Capture | Step::Void) => Step::Void,
        (Ruling::Undo, Step::Reserve | Step::Release) => Step::Release,
        (Ruling::Undo, Step::Commit) => return Err(illegal(order, Status::Compensating)),
    };
    if order.status != Status::NeedsReview {
        let to = match ruling {
            Ruling::Complete => Status::Processing,
            Ruling::Undo => Status::Compensating,
        };
        return Err(illegal(order, to));
    }
    let mut draft = Draft::new(case, moment);
    why["ruling"] = ruling.as_str().into();
    draft.event(EventKind::OrderDecided, Some(why));
    if ruling == Ruling::Undo {
        return Ok(undo(draft, next, rules));
    }
    let order = &mut draft.case.order;
    order.status = Status::Processing;
    order.progress.aim = Aim::Complete;
    order.failure = None;
    draft.step(next);
    draft.deadline(rules.deadline_ms);
    Ok(draft.end(Then::GoOn))
}

pub(super) fn illegal(order: &Order, to: Status) -> Refusal {
    Refusal::IllegalTransition {
        from: order.status,
        to,
    }
}

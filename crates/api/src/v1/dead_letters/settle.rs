//! What becomes of a dead letter: its order is tried anew, or let be. The order's timeline says who
//! wanted that and why, by the commit that marks the letter.

use super::{Found, RedrivenBody, Wanted};
use crate::layers::Context;
use crate::preconditions::Preconditions;
use crate::problem::{Code, Problem};
use crate::v1::fulfilment::conflict;
use crate::{App, changing, extract};
use domain::fulfil::{self, Case, Moment};
use domain::letter::LetterState;
use domain::order::Reason;
use domain::{Change, Letter, Name, Order, OrderId, Timestamp, WriteSet};
use std::sync::Arc;
use store::Committed;

/// Which orders to bring back, and how.
pub(super) struct Redrive {
    /// Those of the letters with this reason, or all.
    pub(super) reason: Option<Reason>,
    /// The most of them.
    pub(super) limit: usize,
    /// How long after one the next is due.
    pub(super) gap_ms: i64,
    /// Whether they are only counted.
    pub(super) is_dry: bool,
    /// Why.
    pub(super) note: Option<Name>,
}

/// Brings orders back, many at once, those of the oldest first.
pub(super) async fn bring_back_all(
    app: &App,
    context: &Context,
    redrive: &Redrive,
) -> Result<RedrivenBody, Problem> {
    let mut counts = RedrivenBody::default();
    let (mut taken, mut due) = (0, app.clock.now());
    let wanted = Wanted::waiting(redrive.reason);
    let mut pages = wanted.to_redrive();
    loop {
        let page = pages.next(app).await;
        let Some(letters) = page.map_err(|problem| problem.beginning_with(&so_far(&counts)))?
        else {
            break;
        };
        for found in letters {
            if !found.letter.may_be_redriven() {
                counts.skipped += 1;
                continue;
            }
            counts.matching += 1;
            if taken == redrive.limit {
                counts.more = true;
                continue;
            }
            if redrive.is_dry {
                taken += 1;
                continue;
            }
            match bring_back(app, context, found, redrive.note.as_ref(), due).await {
                Ok(_) => {
                    taken += 1;
                    counts.redriven += 1;
                    due = due.plus_millis(redrive.gap_ms);
                }
                Err(problem) if problem.is_of_the_store() => {
                    return Err(problem.beginning_with(&so_far(&counts)));
                }
                // One that cannot be brought back keeps no other from it.
                Err(_) => counts.skipped += 1,
            }
        }
    }
    counts.more |= pages.rest().is_some();
    Ok(counts)
}

/// What was done before something went wrong.
fn so_far(counts: &RedrivenBody) -> String {
    format!("{} orders were brought back; then:", counts.redriven)
}

/// Has the order of a letter tried anew, from `due_at` on.
pub(super) async fn bring_back(
    app: &App,
    context: &Context,
    found: Found,
    reason: Option<&Name>,
    due_at: Timestamp,
) -> Result<Found, Problem> {
    match found.letter.state {
        LetterState::Redriven => return Ok(found),
        LetterState::Discarded => return Err(conflict("The letter was discarded.")),
        LetterState::Waiting if found.letter.needs_ruling() => {
            return Err(conflict(
                "Part of what was begun for this order is neither done nor undone: rule on it \
                 first, by POST /v1/orders/{order_id}/ruling.",
            ));
        }
        LetterState::Waiting => {}
    }
    let why = changing::by(context, reason.map(Name::as_str));
    let is_poison = found.letter.reason == Reason::Poison.as_str();
    let settled = Letter {
        state: LetterState::Redriven,
        ..found.letter.clone()
    };
    let act = |case, moment: &mut Moment<'_>| {
        if is_poison {
            Ok(fulfil::resume(case, why.clone(), moment))
        } else {
            fulfil::redrive(case, why.clone(), moment)
        }
    };

    change(app, &found, &settled, |order| {
        let mut write_set = changing::operated(app, Case::new(order), act)?;
        for change in &mut write_set.changes {
            if let Change::Wake(wake) = change {
                wake.due_at = due_at;
            }
        }
        Ok(write_set.changes)
    })
    .await?;
    Ok(found.settled(settled))
}

/// Lets the order of a letter be.
pub(super) async fn discard(
    app: &App,
    context: &Context,
    found: Found,
    reason: &Name,
) -> Result<Found, Problem> {
    match found.letter.state {
        LetterState::Redriven => return Err(conflict("Its order was brought back.")),
        LetterState::Discarded => return Ok(found),
        LetterState::Waiting => {}
    }
    let why = changing::by(context, Some(reason.as_str()));
    let settled = Letter {
        state: LetterState::Discarded,
        note: Some(why.to_string()),
        ..found.letter.clone()
    };

    let told = change(app, &found, &settled, |order| {
        let act = |moment: &mut Moment<'_>| fulfil::discard(Case::new(order), why.clone(), moment);
        Ok(changing::moment(app, act).changes)
    });
    match told.await {
        // Nobody sees the timeline of an order that is hidden or cannot be read; the letter says who.
        Err(problem) if matches!(problem.code(), Code::NotFound | Code::Internal) => {
            let changes = vec![settled.change(found.version)];
            let write_set = WriteSet {
                claim: None,
                changes,
            };
            if app.store.commit(Arc::new(write_set)).await? != Committed::Done {
                return Err(changing::crowded());
            }
        }
        told => told?,
    }
    Ok(found.settled(settled))
}

impl Found {
    /// The letter as it is kept now.
    fn settled(self, letter: Letter) -> Self {
        let version = self.version + 1;
        Self {
            letter,
            version,
            ..self
        }
    }
}

/// Changes the order of a letter as `decide` says, and marks the letter in the same write set.
async fn change(
    app: &App,
    found: &Found,
    settled: &Letter,
    decide: impl Fn(Order) -> Result<Vec<Change>, Problem>,
) -> Result<(), Problem> {
    let id = OrderId::parse(&settled.order_id).ok_or_else(extract::no_such_order)?;
    changing::order(app, id, &Preconditions::none(), |order| {
        let mut changes = decide(order)?;
        changes.push(settled.change(found.version));
        Ok(WriteSet {
            claim: None,
            changes,
        })
    })
    .await?;
    Ok(())
}

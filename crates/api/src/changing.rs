//! Changing an order that is there: read, decide, commit, and decide anew where somebody else was
//! faster.

use crate::layers::Context;
use crate::preconditions::Preconditions;
use crate::problem::{Code, Problem};
use crate::v1::orders::visible;
use crate::{App, cached, extract, placing};
use domain::fulfil::{Case, Decision, Moment};
use domain::{Change, EventId, Order, OrderId, Refusal, Wake, WriteSet};
use serde_json::{Value, json};
use std::sync::Arc;
use store::Committed;

/// How often a change that lost a race is decided anew.
pub(crate) const TRIES: usize = 10;
/// What whoever comes without a token is called.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Changes an order as `decide` says; the order as it is then.
pub(crate) async fn order(
    app: &App,
    id: OrderId,
    preconditions: &Preconditions,
    decide: impl Fn(Order) -> Result<WriteSet, Problem>,
) -> Result<Order, Problem> {
    for _ in 0..TRIES {
        let order = visible(app, id).await?.ok_or_else(extract::no_such_order)?;
        preconditions.check(Some(&cached::etag(order.version)))?;
        let write_set = Arc::new(decide(order)?);
        if app.store.commit(Arc::clone(&write_set)).await? == Committed::Done {
            return Ok(placing::moved_in(&write_set).clone());
        }
    }
    Err(crowded())
}

/// What is written for something that a person does to an order under fulfilment; the worker is
/// woken to go on from there. Nothing that people do reads the transfers.
pub(crate) fn operated(
    app: &App,
    case: Case,
    act: impl FnOnce(Case, &mut Moment<'_>) -> Result<Decision, Refusal>,
) -> Result<WriteSet, Refusal> {
    let decision = moment(app, |moment| act(case, moment))?;
    let order = &decision.case.order;
    let wake = Change::Wake(Wake::fulfil(
        order.id,
        order.newest_sequence,
        app.clock.now(),
    ));
    Ok(WriteSet {
        claim: None,
        changes: decision.changes.into_iter().chain([wake]).collect(),
    })
}

/// Decides something now.
pub(crate) fn moment<T>(app: &App, decide: impl FnOnce(&mut Moment<'_>) -> T) -> T {
    let now = app.clock.now();
    let mut ids = || EventId::new(app.ids.mint(now));
    decide(&mut Moment {
        now,
        random: 0,
        ids: &mut ids,
    })
}

/// Who did something, and why: what the order's timeline keeps of it.
pub(crate) fn by(context: &Context, reason: Option<&str>) -> Value {
    json!({ "actor": actor(context), "reason": reason })
}

/// Who asks: the id of a token, or a word for everybody without one.
pub(crate) fn actor(context: &Context) -> &str {
    match context.principal.as_str() {
        "" => ANONYMOUS,
        principal => principal,
    }
}

/// The problem of whoever always comes second.
pub(crate) fn crowded() -> Problem {
    Problem::new(
        Code::Unavailable,
        "Others change this all the time; nothing was written.",
    )
}

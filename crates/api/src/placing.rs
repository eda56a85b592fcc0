//! Placing an order, whatever the wire form: decide, commit, answer, and replay.
//!
//! A contract reads a body into a [`Asked`] and makes a response of a [`Placed`]; all between is
//! here, once.

use crate::extract::AfterCommit;
use crate::layers::Context;
use crate::problem::{Code, Problem};
use crate::{App, catalogue, renderers};
use axum::body::Bytes;
use domain::idempotency::{self, Body, Fingerprint, Key, Operation, Reply, Scope, Seen};
use domain::place::{self, Draft, Keyed, Occasion};
use domain::{Change, EventId, Order, OrderId, Refusal, WriteSet};
use std::sync::Arc;
use store::Committed;
use tracing::info;

/// A request to place an order, read and within bounds.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) draft: Draft,
    pub(crate) operation: Operation,
    /// The number of the renderer that answers it.
    pub(crate) renderer: u8,
    /// The key that it came with, and what was sent.
    pub(crate) key: Option<(Key, Fingerprint)>,
    pub(crate) after_commit: AfterCommit,
}

/// A placed order, and the body of the 201 that says so.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) order_id: OrderId,
    pub(crate) body: Bytes,
    pub(crate) answer: Answered,
}

/// Whether an answer was given before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    First,
    Again,
}

/// Places the order, once however often it is asked for under one key.
pub(crate) async fn place(app: &App, context: &Context, asked: Asked) -> Result<Placed, Problem> {
    let (after_commit, renderer) = (asked.after_commit, asked.renderer);
    let keyed = keyed(app, context, &asked);
    let prices = catalogue::prices(app, &asked.draft.lines).await?;
    let decided = place::place(asked.draft, &prices, occasion(app, context), keyed.clone());
    let write_set = match decided {
        Ok(write_set) => Arc::new(write_set),
        Err(refusal) => return refused(app, keyed, refusal).await,
    };

    match app.store.commit(Arc::clone(&write_set)).await? {
        Committed::Done => {
            note(app, context, &write_set);
            after_commit.check()?;
            placed(renderer, order_in(&write_set))
        }
        Committed::Seen(seen) => {
            let claim = write_set.claim.as_ref();
            let claim = claim.expect("only a claim meets a record");
            replay(app, &claim.scope, &claim.fingerprint, *seen)
        }
        // Only an id that another order has is refused. It never happens; a retry mints another.
        Committed::Refused(_) => Err(Problem::new(
            Code::Unavailable,
            "No free id was found; nothing was written.",
        )),
    }
}

/// The key that a request came with, and the answer to record under it.
pub(crate) fn keyed(app: &App, context: &Context, asked: &Asked) -> Option<Keyed> {
    let (key, fingerprint) = asked.key.clone()?;
    Some(Keyed {
        scope: Scope {
            principal: context.principal.clone(),
            operation: asked.operation,
            key,
        },
        fingerprint,
        reply: Reply {
            status: 201,
            body: Body::Rendered(asked.renderer),
        },
        retention: app.settings.retention,
    })
}

/// New ids, and the time it is.
pub(crate) fn occasion(app: &App, context: &Context) -> Occasion {
    let now = app.clock.now();
    Occasion {
        order_id: OrderId::new(app.ids.mint(now)),
        event_id: EventId::new(app.ids.mint(now)),
        now,
        fulfil_at: now.plus_millis(app.settings.fulfil_after_ms),
        traceparent: context.trace,
    }
}

/// What the catalogue refuses now, it may have allowed when the key was used: the key comes first.
async fn refused(app: &App, keyed: Option<Keyed>, refusal: Refusal) -> Result<Placed, Problem> {
    if let Some(keyed) = keyed
        && let Some(seen) = app.store.seen(&keyed.scope).await?
        && seen.created_at >= keyed.retention.forget_before(app.clock.now())
    {
        return replay(app, &keyed.scope, &keyed.fingerprint, seen);
    }
    Err(refusal.into())
}

/// The answer for an order that was just placed.
pub(crate) fn placed(renderer: u8, order: &Order) -> Result<Placed, Problem> {
    let body = renderers::render(renderer, order)
        .ok_or_else(|| corrupt("a contract names a renderer that this build lacks"))?;
    Ok(Placed {
        order_id: order.id,
        body: body.into(),
        answer: Answered::First,
    })
}

/// The order that a placing places.
pub(crate) fn order_in(write_set: &WriteSet) -> &Order {
    write_set.placed().expect("placing places an order")
}

/// The order that a change moves on, as it is then.
pub(crate) fn moved_in(write_set: &WriteSet) -> &Order {
    let moved = write_set.changes.iter().find_map(|change| match change {
        Change::Order { now, .. } => Some(&**now),
        _ => None,
    });
    moved.expect("it moves an order on")
}

fn note(app: &App, context: &Context, write_set: &WriteSet) {
    let order_id = order_in(write_set).id;
    info!(request_id = context.request_id.as_str(), %order_id, "Placed order {order_id}");
    app.metrics.orders_created.inc();
    if write_set.claim.is_some() {
        app.metrics.keys_new.inc();
    }
}

/// The answer that the key stands for. The fault header does nothing here: the order it was to
/// lose the answer of was written by an earlier request.
fn replay(
    app: &App,
    scope: &Scope,
    fingerprint: &Fingerprint,
    seen: Seen,
) -> Result<Placed, Problem> {
    let now = app.clock.now();
    let reply = idempotency::replay(&seen, fingerprint, now, &app.settings.retention)
        .map_err(|refusal| no_replay(app, refusal))?;

    let reply = reply.body.clone();
    let order = seen
        .order
        .ok_or_else(|| corrupt("a placing record has no order"))?;
    let order_id = order.id;
    let body = match reply {
        Body::Stored(bytes) => bytes.into_vec(),
        Body::Rendered(number) => renderers::render(number, &order.as_placed())
            .ok_or_else(|| corrupt("a record names a renderer that this build lacks"))?,
    };
    app.metrics.keys_replayed.inc();
    app.replays.note(scope);
    Ok(Placed {
        order_id,
        body: body.into(),
        answer: Answered::Again,
    })
}

/// Why a key's answer is not given again.
pub(crate) fn no_replay(app: &App, refusal: Refusal) -> Problem {
    let mismatch = refusal == Refusal::KeyReused;
    let problem = Problem::from(refusal);
    if !mismatch {
        return problem;
    }
    app.metrics.keys_mismatched.inc();
    problem.with_status(app.settings.idempotency_mismatch_status)
}

fn corrupt(what: &str) -> Problem {
    store::Error::Corrupt(what.to_owned()).into()
}

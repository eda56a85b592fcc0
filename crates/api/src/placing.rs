//! Placing an order, whatever the wire form: decide, commit, answer, and replay.
//!
//! A contract reads a body into a [`Asked`] and makes a response of a [`Placed`]; all between is
//! here, once.

use crate::App;
use crate::extract::AfterCommit;
use crate::layers::Context;
use crate::problem::{Code, Problem};
use crate::renderers;
use axum::body::Bytes;
use domain::idempotency::{self, Body, Fingerprint, Key, Operation, Reply, Scope, Seen};
use domain::place::{self, Draft, Keyed, Occasion};
use domain::{Change, EventId, Order, OrderId, Refusal, WriteSet};
use store::Committed;
use tracing::debug;

/// How often an id is minted anew because another order has it. It never happens; a loop needs an
/// end all the same.
const TRIES_MAX: usize = 3;

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
pub(crate) async fn place(app: &App, context: &Context, asked: &Asked) -> Result<Placed, Problem> {
    for _ in 0..TRIES_MAX {
        let (placed, write_set) = decide(app, context, asked)?;
        match app.store.commit(write_set).await? {
            Committed::Done => return done(app, asked, placed),
            Committed::Seen(seen) => return replay(app, asked, &seen).await,
            Committed::Refused(change) => debug!(change, "An id was taken; minting another"),
        }
    }
    Err(Problem::new(
        Code::Unavailable,
        "No free id was found; nothing was written.",
    ))
}

/// What is to be written, and the answer once it is.
pub(crate) fn decide(
    app: &App,
    context: &Context,
    asked: &Asked,
) -> Result<(Placed, WriteSet), Problem> {
    let now = app.clock.now();
    let occasion = Occasion {
        order_id: OrderId::new(app.ids.mint(now)),
        event_id: EventId::new(app.ids.mint(now)),
        now,
        traceparent: context.traceparent.clone(),
    };
    let keyed = asked.key.as_ref().map(|(key, fingerprint)| Keyed {
        scope: Scope {
            principal: context.principal.clone(),
            operation: asked.operation,
            key: key.clone(),
        },
        fingerprint: *fingerprint,
        reply: Reply {
            status: 201,
            body: Body::Rendered(asked.renderer),
        },
        retention: app.settings.retention,
    });

    let write_set = place::place(asked.draft.clone(), occasion, keyed)?;
    let order = order_in(&write_set);
    let body = renderers::render(asked.renderer, order).expect("contracts name known renderers");
    Ok((
        Placed {
            order_id: order.id,
            body: body.into(),
            answer: Answered::First,
        },
        write_set,
    ))
}

fn order_in(write_set: &WriteSet) -> &Order {
    let placed = write_set.changes.iter().find_map(|change| match change {
        Change::Place(order, _) => Some(&**order),
        Change::Event(_) | Change::Wake(_) | Change::Record { .. } => None,
    });
    placed.expect("placing places an order")
}

fn done(app: &App, asked: &Asked, placed: Placed) -> Result<Placed, Problem> {
    app.metrics.orders_created.inc();
    if asked.key.is_some() {
        app.metrics.keys_new.inc();
    }
    match asked.after_commit {
        AfterCommit::Answer => Ok(placed),
        AfterCommit::Fail => Err(Problem::new(
            Code::SimulatedFailure,
            "Simulated failure: the order was written, and this answer was lost on purpose.",
        )),
    }
}

/// The answer that the key stands for. The fault header does nothing here: the order it was to
/// lose the answer of was written by an earlier request.
async fn replay(app: &App, asked: &Asked, seen: &Seen) -> Result<Placed, Problem> {
    let (_, sent) = asked
        .key
        .as_ref()
        .expect("only a request with a key meets a record");
    let reply = idempotency::replay(seen, sent, app.clock.now(), &app.settings.retention)
        .map_err(|refusal| refused(app, refusal))?;

    let order_id = seen
        .order_id
        .ok_or_else(|| corrupt("a placing record names no order"))?;
    let body = match &reply.body {
        Body::Stored(bytes) => bytes.to_vec(),
        Body::Rendered(number) => {
            let order = app.store.order(order_id).await?;
            let order =
                order.ok_or_else(|| corrupt("a placing record names an order not there"))?;
            renderers::render(*number, &order.as_placed())
                .ok_or_else(|| corrupt("a record names a renderer that this build lacks"))?
        }
    };
    app.metrics.keys_replayed.inc();
    Ok(Placed {
        order_id,
        body: body.into(),
        answer: Answered::Again,
    })
}

fn refused(app: &App, refusal: Refusal) -> Problem {
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

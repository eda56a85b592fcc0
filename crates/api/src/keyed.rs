//! An idempotency key for a request whose answer is kept as it was sent.

use crate::App;
use crate::layers::Context;
use crate::placing::no_replay;
use crate::problem::Problem;
use domain::idempotency::{self, Body, Fingerprint, Key, Operation, Reply, Scope, Seen};
use domain::json::Json;
use domain::{Claim, OrderId};

/// A key, and what was asked for under it.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    pub(crate) scope: Scope,
    fingerprint: Fingerprint,
}

impl Keyed {
    pub(crate) fn new(context: &Context, operation: Operation, key: Key, asked: &Json) -> Self {
        Self {
            scope: Scope {
                principal: context.principal.clone(),
                operation,
                key,
            },
            fingerprint: Fingerprint::of(operation, asked),
        }
    }

    /// Takes the key for this answer.
    pub(crate) fn claim(
        &self,
        app: &App,
        status: u16,
        body: &[u8],
        order_id: Option<OrderId>,
    ) -> Claim {
        let now = app.clock.now();
        Claim {
            scope: self.scope.clone(),
            fingerprint: self.fingerprint,
            reply: Reply {
                status,
                body: Body::Stored(body.into()),
            },
            order_id,
            created_at: now,
            forget_before: app.settings.retention.forget_before(now),
        }
    }

    /// The answer that the key was given before.
    pub(crate) fn replay(&self, app: &App, seen: &Seen) -> Result<Vec<u8>, Problem> {
        let (now, retention) = (app.clock.now(), &app.settings.retention);
        let reply = idempotency::replay(seen, &self.fingerprint, now, retention)
            .map_err(|refusal| no_replay(app, refusal))?;
        app.metrics.keys_replayed.inc();
        app.replays.note(&self.scope);
        match &reply.body {
            Body::Stored(body) => Ok(body.to_vec()),
            Body::Rendered(_) => Err(store::Error::Corrupt(
                "the answer of this key is kept, not rendered".to_owned(),
            )
            .into()),
        }
    }
}

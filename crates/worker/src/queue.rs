//! Messages of a queue: which order one names, and how a batch of them is worked on. The loop that
//! reads SQS and the Lambda function share it.

use crate::drain::{Handler, Verdict, bury};
use crate::fulfil::Fulfil;
use crate::relay::ORDER_DUE;
use domain::{Consumer, EventKind, OrderId};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Error, LeaseClaim, Which};
use tokio::task::JoinSet;
use tracing::{error, warn};

/// A message of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// The group whose messages a queue keeps in their order, where it does.
    pub group: Option<String>,
}

/// What [`order_of`] finds in a message.
type Named = Result<Option<OrderId>, String>;

/// Has the messages of a batch worked on: orders side by side, the messages of one order or group one
/// after the other, and none of them after one that failed. The verdicts are in the order of the
/// messages; `Dead` is a message that nobody can ever work on.
pub async fn batch(fulfil: &Arc<Fulfil>, messages: &[Message]) -> Vec<Verdict> {
    let mut groups: BTreeMap<String, Vec<(usize, Named)>> = BTreeMap::new();
    for (number, message) in messages.iter().enumerate() {
        let named = order_of(&message.body);
        let group = match (&message.group, &named) {
            (Some(group), _) => group.clone(),
            (None, Ok(Some(order_id))) => order_id.to_string(),
            (None, _) => format!("message {number}"),
        };
        groups.entry(group).or_default().push((number, named));
    }
    let mut under_way = JoinSet::new();
    for in_turn in groups.into_values() {
        let fulfil = Arc::clone(fulfil);
        under_way.spawn(async move { one_after_the_other(&fulfil, in_turn).await });
    }
    let mut verdicts = vec![Verdict::Retry("working on it panicked".to_owned()); messages.len()];
    while let Some(finished) = under_way.join_next().await {
        let finished = finished.unwrap_or_else(|error| {
            error!("Working on a message panicked; it comes again: {error}");
            Vec::new()
        });
        for (number, verdict) in finished {
            verdicts[number] = verdict;
        }
    }
    verdicts
}

/// Whether a message is done with, by what became of it; `bury` moves what can never be worked on to
/// the dead letters, if it can.
pub async fn is_done(id: &str, verdict: Verdict, bury: impl AsyncFnOnce(String) -> bool) -> bool {
    match verdict {
        Verdict::Done | Verdict::Later(_) => true,
        Verdict::Retry(why) => {
            warn!("Left message {id} for later: {why}");
            false
        }
        Verdict::Dead(why) => bury(why).await,
    }
}

async fn one_after_the_other(
    fulfil: &Fulfil,
    in_turn: Vec<(usize, Named)>,
) -> Vec<(usize, Verdict)> {
    let mut verdicts = Vec::new();
    let mut failed = false;
    for (number, named) in in_turn {
        let verdict = if failed {
            Verdict::Retry("one before it failed".to_owned())
        } else {
            work_on_message(fulfil, named).await
        };
        failed |= matches!(verdict, Verdict::Retry(_));
        verdicts.push((number, verdict));
    }
    verdicts
}

/// Works on the order that a message names.
async fn work_on_message(fulfil: &Fulfil, named: Named) -> Verdict {
    let order_id = match named {
        Ok(Some(order_id)) => order_id,
        Ok(None) => return Verdict::Done,
        Err(why) => return Verdict::Dead(why),
    };
    let worked = work_on_order(fulfil, order_id).await;
    worked.unwrap_or_else(|error| Verdict::Retry(error.to_string()))
}

/// Works on an order: what it waits for is in the outbox, so there is no message that must not be
/// forgotten once this is done.
async fn work_on_order(fulfil: &Fulfil, order_id: OrderId) -> Result<Verdict, Error> {
    let now = fulfil.clock.now();
    let claim = LeaseClaim {
        consumer: Consumer::Fulfil,
        which: Which::Of(order_id),
        now,
        until: now.plus_millis(fulfil.lease_ms),
    };
    let leased = fulfil.store.lease(claim).await?;
    let Some(lease) = leased.entries.into_iter().next() else {
        // It is past this, or waits for its next try.
        return Ok(match fulfil.store.order(order_id).await? {
            Some(_) => Verdict::Done,
            None => Verdict::Dead("there is no such order".to_owned()),
        });
    };
    let verdict = fulfil.handle(lease).await;
    if let Verdict::Dead(why) = &verdict {
        error!(%order_id, "Buried order {order_id}: {why}");
        bury(&*fulfil.store, &*fulfil.clock, lease, why).await?;
        return Ok(Verdict::Done);
    }
    Ok(verdict)
}

/// Whether a queue or topic of this name or URL keeps the messages of a group in their order.
#[cfg(feature = "aws")]
pub(crate) fn is_fifo(name: &str) -> bool {
    name.rsplit('.').next() == Some("fifo")
}

/// The order that a message has somebody start or resume: one that is just placed or is due, as a
/// `CloudEvents` object or in SNS's envelope, or one that is named by its bare id. `None`: it tells
/// of something else.
///
/// # Errors
/// Why nobody can ever work on it.
pub fn order_of(body: &str) -> Result<Option<OrderId>, String> {
    let body = body.trim();
    if let Some(order_id) = OrderId::parse(body) {
        return Ok(Some(order_id));
    }
    let said: Said = serde_json::from_str(body)
        .map_err(|error| format!("it is neither an order's id nor an event: {error}"))?;
    match said {
        Said::Envelope { message } => match OrderId::parse(message.trim()) {
            Some(order_id) => Ok(Some(order_id)),
            None => match serde_json::from_str(&message) {
                Ok(Said::Event { kind, subject }) => of_event(&kind, &subject),
                _ => Err("what SNS delivered is neither an order's id nor an event".to_owned()),
            },
        },
        Said::Event { kind, subject } => of_event(&kind, &subject),
        Said::Id(id) => OrderId::parse(id.trim())
            .map(Some)
            .ok_or_else(|| "it is a text that is no order's id".to_owned()),
    }
}

fn of_event(kind: &str, subject: &str) -> Result<Option<OrderId>, String> {
    match EventKind::parse(kind) {
        Some(EventKind::OrderCreated) => {}
        None if kind == ORDER_DUE => {}
        Some(_) => return Ok(None),
        None => return Err("nobody knows events of its type".to_owned()),
    }
    let order_id = OrderId::parse(subject);
    let order_id = order_id.ok_or_else(|| "its subject is no order's id".to_owned());
    order_id.map(Some)
}

/// What is in a message.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    /// What SNS puts around a message, unless it delivers it raw.
    Envelope {
        #[serde(rename = "Message")]
        message: String,
    },
    /// An event, as CloudEvents 1.0 writes it.
    Event {
        #[serde(rename = "type")]
        kind: String,
        subject: String,
    },
    /// An order's id in quotes.
    Id(String),
}

#[cfg(test)]
mod tests;

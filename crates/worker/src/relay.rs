//! Publishes events to topics, an order's events in their order, and hands orders to the queue that
//! listens to the topic of all events.
//!
//! An order reaches its workers by its first event. What it waits for then is in the outbox: once it
//! is due, a message says so. A message that was lost, and a try that failed, come back the same way.

use crate::announce::{Announcer, TOPIC_LIMITS};
use crate::drain::{Drain, Handler, Limits, RECEIVED_MAX, Verdict};
use async_trait::async_trait;
use domain::event::SOURCE;
use domain::fulfil::Retry;
use domain::{
    Change, Consumer, Delayed, Endpoint, EndpointId, Event, EventKind, Lease, OrderId, WriteSet,
};
use serde_json::json;
use std::sync::Arc;
use store::{Committed, Error, Store, Which};
use tracing::warn;

/// How long to wait after a topic took nothing.
const RETRY: Retry = Retry {
    base_ms: 500,
    max_ms: 30_000,
};
/// The type of the message that an order is due: no event, since nothing happened to the order.
pub const ORDER_DUE: &str = "order.due.v1";
/// How often a change is tried that somebody else was faster with.
const TRIES: usize = 8;

/// How topics are told.
pub struct Topics {
    /// The service that has them.
    pub service: Arc<dyn Publish>,
    /// What a message says.
    pub format: Format,
}

/// What a message of an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The event, as CloudEvents 1.0 writes it in JSON.
    CloudEvents,
    /// What the older system's messages say: the order's id, and at its end its id and status.
    Plain,
}

/// Takes messages for topics.
#[async_trait]
pub trait Publish: Send + Sync {
    /// Publishes messages, in their order. How many of them, from the first on, were taken; and why
    /// the next one was not, where there is one.
    async fn publish(&self, topic_arn: &str, messages: &[Message]) -> (usize, Option<String>);
}

/// A message for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// The order that it is about: those of one order stay in their order.
    pub order_id: OrderId,
    /// The type of the event, or [`ORDER_DUE`].
    pub kind: &'static str,
    /// Two with the same are one.
    pub deduplication_id: String,
    /// A line for people.
    pub subject: Option<String>,
    /// The W3C `traceparent` of the request that caused it.
    pub traceparent: Option<String>,
}

/// The handler of wakes of a topic.
pub struct Relay {
    pub(crate) with: Arc<Announcer>,
    pub(crate) endpoint_id: EndpointId,
}

#[async_trait]
impl Handler for Relay {
    async fn handle(&self, lease: Lease) -> Verdict {
        let told = self.tell(lease).await;
        told.unwrap_or_else(|error| Verdict::Retry(error.to_string()))
    }
}

impl Relay {
    /// Publishes all that the wake is for.
    async fn tell(&self, lease: Lease) -> Result<Verdict, Error> {
        let Some((topic, _)) = self.with.endpoint(self.endpoint_id).await? else {
            return self.with.settle(lease).await;
        };
        let events = self.with.store.events(lease.subject).await?;
        let told = lease.since..=lease.head;
        let wanted = |event: &&Event| told.contains(&event.sequence) && topic.wants(event.kind);
        let mut sequences = Vec::new();
        let mut messages = Vec::new();
        for event in events.iter().filter(wanted) {
            sequences.push(event.sequence);
            messages.push(self.with.as_message(event).await?);
        }
        let (taken, why) = self.with.publish(&topic, &messages).await;
        let Some(why) = why else {
            return self.with.settle(lease).await;
        };
        let left = Lease {
            since: sequences.get(taken).copied().unwrap_or(lease.since),
            tries: if taken == 0 { lease.tries + 1 } else { 1 },
            ..lease
        };
        self.with.put_off(left, why).await
    }
}

/// The handler of wakes of fulfilment where workers are told by a queue.
pub struct HandOver {
    with: Arc<Announcer>,
}

#[async_trait]
impl Handler for HandOver {
    /// That nothing is heard of an order may be for want of workers: that is not in vain.
    fn which(max: usize) -> Which {
        Which::DueToPassOn(max)
    }

    async fn handle(&self, lease: Lease) -> Verdict {
        let handed = match self.hand_over(lease).await {
            Err(error) => self.put_off(lease, error.to_string()).await,
            handed => handed,
        };
        handed.unwrap_or_else(|error| Verdict::Retry(error.to_string()))
    }
}

impl HandOver {
    async fn hand_over(&self, lease: Lease) -> Result<Verdict, Error> {
        let Some((topic, _)) = self.with.endpoint(EndpointId::ORDER_EVENTS).await? else {
            let why = "there is no topic to hand it over by; restart the server".to_owned();
            return self.put_off(lease, why).await;
        };
        let (_, why) = self.with.publish(&topic, &[self.due(lease.subject)]).await;
        match why {
            // Leased until it is to be looked at again; a worker takes it before.
            None => Ok(Verdict::Done),
            Some(why) => self.put_off(lease, why).await,
        }
    }

    async fn put_off(&self, lease: Lease, why: String) -> Result<Verdict, Error> {
        let tries = lease.tries + 1;
        self.with.put_off(Lease { tries, ..lease }, why).await
    }

    /// Says that an order is due.
    fn due(&self, order_id: OrderId) -> Message {
        let now = self.with.clock.now();
        // Of its own each time: a topic may drop what it has had.
        let id = self.with.ids.mint(now).to_string();
        let body = match self.with.format() {
            Some(Format::Plain) => order_id.to_string(),
            _ => json!({
                "specversion": "1.0",
                "id": id,
                "source": SOURCE,
                "type": ORDER_DUE,
                "subject": order_id.to_string(),
                "time": now.to_string(),
                "partitionkey": order_id.to_string(),
            })
            .to_string(),
        };
        Message {
            body,
            order_id,
            kind: ORDER_DUE,
            deduplication_id: id,
            subject: None,
            traceparent: None,
        }
    }
}

impl Announcer {
    /// The loop that hands orders to a queue, and looks at each again after `again_ms`.
    #[must_use]
    pub fn hand_over(self: &Arc<Self>, again_ms: i64) -> Drain<HandOver> {
        let hand_over = HandOver {
            with: Arc::clone(self),
        };
        let limits = Limits {
            // After a message the order is left alone for as long: it may have been lost.
            lease_ms: again_ms,
            received_max: RECEIVED_MAX,
            ..TOPIC_LIMITS
        };
        self.looping(Consumer::Fulfil, limits, hand_over)
    }

    fn format(&self) -> Option<Format> {
        self.topics.as_ref().map(|topics| topics.format)
    }

    async fn as_message(&self, event: &Event) -> Result<Message, Error> {
        let order_id = event.order_id;
        let (body, subject) = match (self.format(), event.kind) {
            (Some(Format::Plain), EventKind::OrderCreated) => (
                order_id.to_string(),
                Some("New Order Notification".to_owned()),
            ),
            (Some(Format::Plain), EventKind::OrderCompleted) => (
                format!(r#"{{"order_id": "{order_id}", "status": "Completed"}}"#),
                Some(format!("Order {order_id} Completed")),
            ),
            _ => (self.message(event).await?, None),
        };
        Ok(Message {
            body,
            order_id,
            kind: event.kind.as_str(),
            deduplication_id: event.id.to_string(),
            subject,
            traceparent: event.traceparent.map(|trace| trace.to_string()),
        })
    }

    async fn publish(&self, topic: &Endpoint, messages: &[Message]) -> (usize, Option<String>) {
        match &self.topics {
            Some(topics) => topics.service.publish(&topic.url, messages).await,
            None => (0, Some("this process publishes nothing".to_owned())),
        }
    }

    /// Gives a wake back, after `tries` of its lease.
    async fn put_off(&self, lease: Lease, why: String) -> Result<Verdict, Error> {
        let wait_ms = RETRY.wait(lease.tries, (self.random)(), None);
        let due_at = self.clock.now().plus_millis(wait_ms);
        warn!(order_id = %lease.subject, tries = lease.tries, "Could not publish an event of order {}: {why}", lease.subject);
        let put_off = Change::Delay {
            lease,
            due_at,
            how: Delayed::GivenBack(Some(why.chars().take(500).collect())),
        };
        self.commit(vec![put_off]).await?;
        Ok(Verdict::Later(due_at))
    }
}

/// Has a topic told of the events of all orders from now on, as `topic` says.
///
/// # Errors
/// Those of the store.
pub async fn register(store: &dyn Store, id: EndpointId, topic: &Endpoint) -> Result<(), Error> {
    for _ in 0..TRIES {
        let found = store.records(&[Endpoint::record_id(id)]).await?;
        let found = found.into_iter().flatten().next();
        let there = found.as_ref().and_then(|it| Endpoint::read(&it.body));
        if there.is_some_and(|it| {
            it == Endpoint {
                created_at_ms: it.created_at_ms,
                ..topic.clone()
            }
        }) {
            return Ok(());
        }
        let was = found.map_or(0, |record| record.version);
        let write_set = WriteSet {
            claim: None,
            changes: vec![topic.change(id, was)],
        };
        if store.commit(Arc::new(write_set)).await? == Committed::Done {
            return Ok(());
        }
    }
    Err(Error::Unavailable(
        "others change the topics at the same time".into(),
    ))
}

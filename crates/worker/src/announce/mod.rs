//! Tells webhooks and topics what happened: an event a message, an order's events in their order,
//! again and again until each came through or was given up. How topics are told is in `relay`.

pub mod post;

use crate::drain::{Drain, Handler, Limits, Verdict};
use crate::relay::{Relay, Topics};
use crate::watch::Watch;
use async_trait::async_trait;
use domain::webhook::{self, Disabled};
use domain::{
    Change, Clock, Consumer, Delayed, Delivery, DeliveryId, Endpoint, EndpointId, Event, EventKind,
    Ids, Lease, Order, RecordKind, Timestamp, WriteSet,
};
use post::{Outcome, Post};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{Committed, DeliveryQuery, Error, RecordQuery, Store};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// How long a lease is good for: longer than a try takes.
const LEASE_MS: i64 = 30_000;
/// How many orders one webhook is told of at once. A message is given up by its own rules.
const LIMITS: Limits = Limits {
    batch: 16,
    concurrency: 16,
    lease_ms: LEASE_MS,
    received_max: u32::MAX,
};
/// The same of a topic, whose service takes more.
pub(crate) const TOPIC_LIMITS: Limits = Limits {
    concurrency: 256,
    ..LIMITS
};
/// How often it is looked which endpoints there are.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most endpoints that are served.
const ENDPOINTS_MAX: usize = 1_000;
/// The most bytes of a message that holds an order; a larger one has to be fetched.
const MESSAGE_MAX: usize = 20_000;

/// What every endpoint is told with.
pub struct Announcer {
    /// Where orders are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<Ids>,
    /// Spreads retries.
    pub random: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Sends messages.
    pub post: Post,
    /// The message of an event, with the order where that is part of it.
    pub render: fn(&Event, Option<&Order>) -> String,
    /// How topics are told; `None` where other processes do.
    pub topics: Option<Topics>,
    /// Who looks on.
    pub watch: Watch,
}

impl Announcer {
    /// Serves the endpoints that there are, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let announcer = self;
        let served = TaskTracker::new();
        let mut serving: HashMap<EndpointId, DropGuard> = HashMap::new();
        while !stop.is_cancelled() {
            match announcer.enabled().await {
                Ok(endpoints) => {
                    serving.retain(|id, _| endpoints.contains_key(id));
                    for (id, is_topic) in endpoints {
                        serving.entry(id).or_insert_with(|| {
                            let stop = stop.child_token();
                            if is_topic {
                                served.spawn(announcer.relay(id).run(stop.clone()));
                            } else {
                                served.spawn(announcer.drain(id).run(stop.clone()));
                            }
                            stop.drop_guard()
                        });
                    }
                }
                Err(error) => warn!(source = ?error, "Could not look for endpoints: {error}"),
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        served.close();
        served.wait().await;
    }

    /// The loop that tells one webhook.
    #[must_use]
    pub fn drain(self: &Arc<Self>, endpoint_id: EndpointId) -> Drain<Announce> {
        let announce = Announce {
            with: Arc::clone(self),
            endpoint_id,
        };
        self.looping(Consumer::Announce(endpoint_id), LIMITS, announce)
    }

    /// The loop that tells one topic.
    #[must_use]
    pub fn relay(self: &Arc<Self>, endpoint_id: EndpointId) -> Drain<Relay> {
        let relay = Relay {
            with: Arc::clone(self),
            endpoint_id,
        };
        self.looping(Consumer::Announce(endpoint_id), TOPIC_LIMITS, relay)
    }

    pub(crate) fn looping<H: Handler>(
        &self,
        consumer: Consumer,
        limits: Limits,
        handler: H,
    ) -> Drain<H> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Drain::new(store, clock, consumer, limits, handler)
    }

    /// Who is to be told by this process, and whether it is a topic.
    async fn enabled(&self) -> Result<HashMap<EndpointId, bool>, Error> {
        let query = RecordQuery {
            kind: RecordKind::Endpoint,
            after: None,
            limit: ENDPOINTS_MAX,
        };
        let page = self.store.list(query).await?;
        let enabled = page.items.iter().filter_map(|(id, record)| {
            let endpoint = Endpoint::read(&record.body)?;
            let is_topic = endpoint.is_topic();
            let is_ours = endpoint.disabled.is_none() && (!is_topic || self.topics.is_some());
            Some((EndpointId::parse(id).filter(|_| is_ours)?, is_topic))
        });
        Ok(enabled.collect())
    }

    /// Who is to be told, as it is now, and its version.
    pub(crate) async fn endpoint(&self, id: EndpointId) -> Result<Option<(Endpoint, u32)>, Error> {
        let records = self.store.records(&[Endpoint::record_id(id)]).await?;
        let record = records.into_iter().flatten().next();
        Ok(record.and_then(|record| Some((Endpoint::read(&record.body)?, record.version))))
    }

    /// The message of an event; a large one is without the order, which has to be fetched then.
    pub(crate) async fn message(&self, event: &Event) -> Result<String, Error> {
        let order = match event.kind {
            EventKind::OrderCreated => self.store.order(event.order_id).await?,
            _ => None,
        };
        let message = (self.render)(event, order.as_ref());
        if message.len() > MESSAGE_MAX {
            return Ok((self.render)(event, None));
        }
        Ok(message)
    }

    /// Nothing is left to tell, or there is more meanwhile, which is due at once.
    pub(crate) async fn settle(&self, lease: Lease) -> Result<Verdict, Error> {
        if !self.commit(vec![Change::Settle(lease)]).await? {
            let now = self.clock.now();
            let delay = Change::Delay {
                lease: Lease {
                    since: lease.head + 1,
                    tries: 0,
                    ..lease
                },
                due_at: now,
                how: Delayed::GivenBack(None),
            };
            if self.commit(vec![delay]).await? {
                return Ok(Verdict::Later(now));
            }
            info!(order_id = %lease.subject, "Somebody else tells of order {}", lease.subject);
        }
        Ok(Verdict::Done)
    }

    /// Whether it was written; if not, somebody else has the lease, or there is more to do.
    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<bool, Error> {
        let write_set = WriteSet {
            claim: None,
            changes,
        };
        let committed = self.store.commit(Arc::new(write_set)).await?;
        Ok(committed == Committed::Done)
    }
}

/// The handler of wakes for [`Consumer::Announce`].
pub struct Announce {
    with: Arc<Announcer>,
    endpoint_id: EndpointId,
}

#[async_trait]
impl Handler for Announce {
    async fn handle(&self, lease: Lease) -> Verdict {
        self.tell(lease)
            .await
            .unwrap_or_else(|error| Verdict::Retry(error.to_string()))
    }
}

/// What to write after a try.
struct Step {
    lease: Lease,
    due_at: Timestamp,
    how: Delayed,
    /// Why nobody is to be told there any more.
    disable: Option<Disabled>,
}

impl Announce {
    /// Tells the endpoint all that the wake is for, as far as it takes it.
    async fn tell(&self, mut lease: Lease) -> Result<Verdict, Error> {
        let Some((mut endpoint, version)) = self.with.endpoint(self.endpoint_id).await? else {
            return self.with.settle(lease).await;
        };
        if endpoint.disabled.is_some() {
            // It waits until the endpoint is enabled: the lease runs out.
            return Ok(Verdict::Done);
        }
        let events = self.with.store.events(lease.subject).await?;
        let wanted = (lease.since..=lease.head).filter_map(|sequence| {
            let event = events.iter().find(|event| event.sequence == sequence)?;
            endpoint.wants(event.kind).then_some(event)
        });
        for event in wanted.collect::<Vec<_>>() {
            let (delivery, outcome) = self.try_once(&endpoint, event, &lease).await?;
            let step = self.after(&outcome, event, lease).await?;
            let mut changes = vec![
                Change::Delay {
                    lease: step.lease,
                    due_at: step.due_at,
                    how: step.how.clone(),
                },
                Change::Delivered(delivery),
            ];
            if let Some(why) = step.disable {
                warn!(endpoint_id = %self.endpoint_id, "Disabled the webhook {}: {}", endpoint.url, why.as_str());
                endpoint.disabled = Some((why, self.with.clock.now().as_millis()));
                changes.push(endpoint.change(self.endpoint_id, version));
            }
            if !self.with.commit(changes).await? || step.disable.is_some() {
                return Ok(Verdict::Done);
            }
            if step.how != Delayed::GoneOn {
                return Ok(Verdict::Later(step.due_at));
            }
            lease = step.lease;
        }
        self.with.settle(lease).await
    }

    /// One try, as the log keeps it, and what came of it.
    async fn try_once(
        &self,
        endpoint: &Endpoint,
        event: &Event,
        lease: &Lease,
    ) -> Result<(Delivery, Outcome), Error> {
        let message = self.with.message(event).await?;
        let mut span = self.with.watch.delivery(event, lease.tries + 1);
        let traceparent = span.as_ref().map(|span| span.place()).or(event.traceparent);
        let begun = self.with.clock.now();
        let sent = Event {
            traceparent,
            ..event.clone()
        };
        let outcome = self.with.post.send(endpoint, &sent, message, begun).await;
        if let (Some(span), Some(why)) = (&mut span, &outcome.error) {
            span.fail(why);
        }
        let took = self.with.clock.now().as_millis() - begun.as_millis();
        let delivery = Delivery {
            id: DeliveryId::new(self.with.ids.mint(begun)),
            endpoint_id: self.endpoint_id,
            event_id: event.id,
            kind: event.kind,
            order_id: event.order_id,
            number: lease.tries + 1,
            status: outcome.status,
            error: outcome.error.clone(),
            duration_ms: took.try_into().unwrap_or(0),
        };
        Ok((delivery, outcome))
    }

    /// What a try leads to: the next event, another try later, or the end of it.
    async fn after(&self, outcome: &Outcome, event: &Event, lease: Lease) -> Result<Step, Error> {
        let now = self.with.clock.now();
        let next = Step {
            lease: Lease {
                since: event.sequence + 1,
                tries: 0,
                ..lease
            },
            due_at: now.plus_millis(LEASE_MS),
            how: Delayed::GoneOn,
            disable: None,
        };
        if outcome.error.is_none() {
            return Ok(next);
        }
        let tries = lease.tries + 1;
        let again = |due_at| Step {
            lease: Lease {
                since: event.sequence,
                tries,
                ..lease
            },
            due_at,
            how: Delayed::GivenBack(outcome.error.clone()),
            disable: None,
        };
        if outcome.status == Some(410) {
            let mut step = again(now);
            step.disable = Some(Disabled::Gone);
            return Ok(step);
        }
        if let Some(wait_ms) = webhook::wait(tries, (self.with.random)(), outcome.after_ms) {
            return Ok(again(now.plus_millis(wait_ms)));
        }
        warn!(endpoint_id = %self.endpoint_id, event_id = %event.id, "Gave up telling a webhook of an event after {tries} tries");
        if self.took_something_since(event).await? {
            return Ok(next);
        }
        // It is told of this event once it is enabled again.
        let mut step = again(now);
        step.lease.tries = 0;
        step.disable = Some(Disabled::Failing);
        Ok(step)
    }

    /// Whether anything came through since an event: then it is the event that nobody takes.
    async fn took_something_since(&self, event: &Event) -> Result<bool, Error> {
        let query = DeliveryQuery {
            endpoint_id: self.endpoint_id,
            succeeded: true,
            before: None,
            limit: 1,
        };
        let page = self.with.store.deliveries(query).await?;
        let last = page.items.first();
        Ok(last.is_some_and(|last| last.id.minted_at() > event.occurred_at))
    }
}

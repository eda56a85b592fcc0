//! Topics that are told of events, and whether orders reach their workers by one.

use crate::config::{EventFormat, Settings};
use crate::exit::{Code, Exit};
use crate::fulfilment::millis;
use domain::{Endpoint, EndpointId, EventKind, Timestamp};
use store::Store;
use tracing::warn;
use worker::relay::{self, Format};

/// In how many parts the time that an order may take is divided: after one, an order that was handed
/// to a queue is looked at again. What was lost is found while there is time left.
const LOOKS: i64 = 3;

/// Whether the configuration names a topic.
#[must_use]
pub fn are_named(settings: &Settings) -> bool {
    let events = &settings.events;
    !events.topic_arn.is_empty() || !events.completed_topic_arn.is_empty()
}

/// Whether orders are handed to a queue, which listens to the topic of all events: they are where
/// this process does not take them out of the outbox itself.
#[must_use]
pub fn hands_over(settings: &Settings) -> bool {
    !settings.events.topic_arn.is_empty() && !drains_outbox(settings)
}

/// Whether this process takes orders out of the outbox and works on them.
#[must_use]
pub fn drains_outbox(settings: &Settings) -> bool {
    settings.worker.enabled && settings.worker.queue_url.is_empty()
}

/// How long after an order was handed to a queue it is looked at again, in ms.
#[must_use]
pub fn again_ms(settings: &Settings) -> i64 {
    millis(settings.fulfilment.deadline) / LOOKS
}

/// What a message says.
#[must_use]
pub const fn format(settings: &Settings) -> Format {
    match settings.events.format {
        EventFormat::Cloudevents => Format::CloudEvents,
        EventFormat::Plain => Format::Plain,
    }
}

/// Has the topics that the configuration names told of what happens from now on, by whichever
/// process publishes.
///
/// # Errors
/// Those of the store.
pub async fn register(
    settings: &Settings,
    store: &dyn Store,
    now: Timestamp,
) -> Result<(), store::Error> {
    let events = &settings.events;
    if !events.topic_arn.is_empty() {
        let kinds: &[EventKind] = match format(settings) {
            Format::CloudEvents => &[],
            Format::Plain => &[EventKind::OrderCreated],
        };
        let topic = Endpoint {
            hands_over: hands_over(settings),
            ..Endpoint::topic(events.topic_arn.clone(), kinds, now)
        };
        relay::register(store, EndpointId::ORDER_EVENTS, &topic).await?;
    }
    register_completed(settings, store, now).await
}

/// Has the topic of completed orders told, where the configuration names one: all that a worker needs
/// to know of topics.
///
/// # Errors
/// Those of the store.
pub async fn register_completed(
    settings: &Settings,
    store: &dyn Store,
    now: Timestamp,
) -> Result<(), store::Error> {
    let events = &settings.events;
    if !events.completed_topic_arn.is_empty() {
        let kinds = [EventKind::OrderCompleted];
        let topic = Endpoint::topic(events.completed_topic_arn.clone(), &kinds, now);
        relay::register(store, EndpointId::ORDER_COMPLETED, &topic).await?;
    }
    Ok(())
}

/// Refuses to take orders that nobody would be told of: they come from a queue, and no topic brings
/// them there.
///
/// # Errors
/// An [`Exit`] of code 3.
pub fn guard_queue(settings: &Settings) -> Result<(), Exit> {
    let (queue, topic) = (&settings.worker.queue_url, &settings.events.topic_arn);
    if queue.is_empty() || !topic.is_empty() {
        return Ok(());
    }
    Err(Exit::new(
        Code::Configuration,
        &format!("Refusing to take orders that are worked on from {queue}."),
        "no topic hands them to that queue",
        "name the topic that the queue listens to: SNS_TOPIC_ARN=arn:aws:sns:…; or leave \
         worker.queue_url out, and this process works on them itself.",
    ))
}

/// Refuses to work on orders out of the outbox where they are handed to a queue: they would only be
/// looked at when their message seems lost.
///
/// # Errors
/// An [`Exit`] of code 3, or that of the store.
pub async fn guard_worker(settings: &Settings, store: &dyn Store) -> anyhow::Result<()> {
    let topic = registered(store).await?.filter(|topic| topic.hands_over);
    match topic {
        Some(topic) if drains_outbox(settings) => {
            let what = "Refusing to work on these orders without their queue.";
            let topic = topic.url;
            let why = format!("the API hands them to the queue that listens to {topic}");
            let fix = format!(
                "name that queue: ORDERD_WORKER_QUEUE_URL=https://sqs.…; or, if the API names no \
                 topic any more: orderd webhook delete {}.",
                EndpointId::ORDER_EVENTS
            );
            Err(Exit::new(Code::Configuration, what, why, &fix).into())
        }
        None if !drains_outbox(settings) => {
            let queue = &settings.worker.queue_url;
            warn!(
                "No API hands orders to a queue yet: until one runs with SNS_TOPIC_ARN and --roles \
                 api, none come from {queue}"
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Says where a topic is still told of events that the configuration does not name any more.
///
/// # Errors
/// Those of the store.
pub async fn warn_of_others(settings: &Settings, store: &dyn Store) -> Result<(), store::Error> {
    if let Some(topic) = registered(store).await?
        && !are_named(settings)
    {
        let (topic, id) = (topic.url, EndpointId::ORDER_EVENTS);
        warn!(
            "What the topic {topic} is to be told waits for a process that names it. If none does \
             any more: orderd webhook delete {id}"
        );
    }
    Ok(())
}

/// The topic of all events, as whoever registered it last has named it.
async fn registered(store: &dyn Store) -> Result<Option<Endpoint>, store::Error> {
    let id = Endpoint::record_id(EndpointId::ORDER_EVENTS);
    let record = store.records(&[id]).await?.into_iter().flatten().next();
    Ok(record.and_then(|record| Endpoint::read(&record.body)))
}

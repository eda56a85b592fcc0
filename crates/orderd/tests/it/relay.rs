//! What topics are told, and when an order is handed to a queue: on a clock that is moved by hand,
//! with a topic that keeps what it is told.

use crate::dead_letters::letters;
use crate::fulfilment::{LEASE_MS, Scripted, drain, fulfil, lease, order, place, settle};
use crate::service::{ORDER, Service};
use async_trait::async_trait;
use domain::webhook::target::Reach;
use domain::{Endpoint, EndpointId, OrderId};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Which;
use store::faulty::{Fault, Faulty};
use worker::announce::post::Post;
use worker::relay::{self, Format, Message, Publish};
use worker::{Announcer, Topics, Verdict, Watch, queue};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:order-events";
/// How long after an order was handed over it is looked at again.
const AGAIN_MS: i64 = 300_000;

/// A topic that takes so many messages, and keeps what it took.
#[derive(Default)]
struct Topic {
    taken: Mutex<Vec<Message>>,
    /// How many more it takes; `None` for all.
    left: Mutex<Option<usize>>,
}

#[async_trait]
impl Publish for Topic {
    async fn publish(&self, topic_arn: &str, messages: &[Message]) -> (usize, Option<String>) {
        assert_eq!(topic_arn, TOPIC);
        let mut left = self.left.lock().unwrap();
        let count = left.unwrap_or(messages.len()).min(messages.len());
        *left = left.map(|left| left - count);
        self.taken
            .lock()
            .unwrap()
            .extend_from_slice(&messages[..count]);
        let why = (count < messages.len()).then(|| "away".to_owned());
        (count, why)
    }
}

impl Topic {
    fn takes(&self, count: Option<usize>) {
        *self.left.lock().unwrap() = count;
    }

    /// What it was told since it was last asked.
    fn told(&self) -> Vec<Message> {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }

    /// The types of that.
    fn kinds(&self) -> Vec<&'static str> {
        self.told().iter().map(|message| message.kind).collect()
    }
}

async fn begin(format: Format) -> (Service, Arc<Topic>, Arc<Announcer>) {
    let service = Service::new().await;
    let topic = Endpoint::topic(TOPIC.to_owned(), &[], service.app.clock.now());
    let store = &*service.app.store;
    for _ in 0..2 {
        let registered = relay::register(store, EndpointId::ORDER_EVENTS, &topic);
        registered.await.unwrap();
    }
    let keeper = Arc::new(Topic::default());
    let announcer = Announcer {
        store: Arc::clone(&service.app.store),
        clock: Arc::clone(&service.app.clock),
        ids: Arc::clone(&service.app.ids),
        random: Box::new(|| 0),
        post: Post::new(Reach::Any, "orderd/test", Duration::from_secs(5)),
        render: api::cloud_event,
        topics: Some(Topics {
            service: Arc::clone(&keeper) as Arc<dyn Publish>,
            format,
        }),
        watch: Watch::default(),
    };
    (service, keeper, Arc::new(announcer))
}

#[tokio::test]
async fn a_topic_is_told_every_public_event_of_an_order_once_and_in_its_sequence() {
    let (service, topic, announcer) = begin(Format::CloudEvents).await;
    let id = place(&service, "k", ORDER).await;
    settle(&service, &drain(&service, Scripted::willing())).await;
    let relay = announcer.relay(EndpointId::ORDER_EVENTS);
    // Two of them, then it is away.
    topic.takes(Some(2));
    relay.pass().await.unwrap();
    let mut told = topic.told();
    assert_eq!(told.len(), 2);
    relay.pass().await.unwrap();
    assert_eq!(topic.told(), [], "it is left alone for a while");
    topic.takes(None);
    service.clock.move_by(30_000);
    relay.pass().await.unwrap();
    told.extend(topic.told());
    service.clock.move_by(30_000);
    relay.pass().await.unwrap();
    assert_eq!(topic.told(), [], "once");

    let kinds: Vec<_> = told.iter().map(|message| message.kind).collect();
    assert_eq!(kinds.first(), Some(&"order.created.v1"));
    assert_eq!(kinds.last(), Some(&"order.completed.v1"));
    let mut sequences = Vec::new();
    for message in &told {
        let event: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(event["subject"], id.as_str());
        assert_eq!(event["id"], message.deduplication_id.as_str());
        assert_eq!(message.order_id.to_string(), id);
        sequences.push(event["sequence"].as_str().unwrap().to_owned());
    }
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
}

#[tokio::test]
async fn an_order_that_is_due_is_handed_over_and_again_only_if_nothing_is_heard_of_it() {
    let (service, topic, announcer) = begin(Format::CloudEvents).await;
    let id = place(&service, "k", ORDER).await;
    let hand_over = announcer.hand_over(AGAIN_MS);
    hand_over.pass().await.unwrap();
    let told = topic.told();
    assert_eq!(told.len(), 1);
    let said: serde_json::Value = serde_json::from_str(&told[0].body).unwrap();
    assert_eq!(
        (&said["type"], &said["subject"]),
        (&"order.due.v1".into(), &id.as_str().into())
    );

    service.clock.move_by(AGAIN_MS - 1_000);
    hand_over.pass().await.unwrap();
    assert_eq!(topic.kinds(), Vec::<&str>::new(), "somebody may be at it");
    service.clock.move_by(1_000);
    hand_over.pass().await.unwrap();
    let again = topic.told();
    assert_eq!(again.len(), 1);
    assert_ne!(again[0].deduplication_id, told[0].deduplication_id);

    // While the topic is away, it is tried again soon.
    service.clock.move_by(AGAIN_MS);
    topic.takes(Some(0));
    hand_over.pass().await.unwrap();
    topic.takes(None);
    service.clock.move_by(1_000);
    hand_over.pass().await.unwrap();
    assert_eq!(topic.kinds(), ["order.due.v1"]);

    service.clock.move_by(AGAIN_MS);
    settle(&service, &drain(&service, Scripted::willing())).await;
    service.clock.move_by(AGAIN_MS);
    hand_over.pass().await.unwrap();
    assert_eq!(topic.kinds(), Vec::<&str>::new(), "it has ended");
}

#[tokio::test]
async fn an_order_waits_for_workers_as_long_as_there_are_none() {
    let (service, topic, announcer) = begin(Format::CloudEvents).await;
    let id = place(&service, "k", ORDER).await;
    let hand_over = announcer.hand_over(AGAIN_MS);
    for _ in 0..20 {
        hand_over.pass().await.unwrap();
        assert_eq!(topic.kinds(), ["order.due.v1"]);
        service.clock.move_by(AGAIN_MS);
    }
    assert_eq!(letters(&service, "").await.len(), 0);
    assert!(taken(&service, &id).await);
}

#[tokio::test]
async fn an_order_that_ends_its_workers_is_buried_after_five_of_them() {
    let (service, topic, announcer) = begin(Format::CloudEvents).await;
    let id = place(&service, "k", ORDER).await;
    let hand_over = announcer.hand_over(AGAIN_MS);
    for _ in 0..5 {
        // It is handed over, somebody takes it, and then nothing is heard of it.
        hand_over.pass().await.unwrap();
        assert_eq!(topic.kinds(), ["order.due.v1"]);
        assert!(taken(&service, &id).await);
        service.clock.move_by(LEASE_MS);
    }
    hand_over.pass().await.unwrap();
    assert_eq!(topic.kinds(), Vec::<&str>::new());
    let letters = letters(&service, "").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["order_id"], id.as_str());
    assert_eq!(letters[0]["reason"], "poison");
}

/// Whether somebody who was sent a message could take the order.
async fn taken(service: &Service, id: &str) -> bool {
    let of = Which::Of(OrderId::parse(id).unwrap());
    lease(service, of).await.is_some()
}

#[tokio::test]
async fn a_batch_says_of_each_message_what_became_of_it() {
    let (service, _, _) = begin(Format::CloudEvents).await;
    let first = place(&service, "a", ORDER).await;
    let second = place(&service, "b", ORDER).await;
    let away = Faulty::new(Arc::clone(&service.app.store), Fault::Unavailable, 0);
    let message = |body: &str, group: Option<&str>| queue::Message {
        body: body.to_owned(),
        group: group.map(ToOwned::to_owned),
    };
    // The first call of the store fails, which is that of the only order of the batch.
    let failing = Arc::new(fulfil(&service, Arc::new(away), Scripted::willing()));
    let batch = [
        message(&first, Some("g")),
        message(&first, Some("g")),
        message("17", None),
    ];
    let verdicts = queue::batch(&failing, &batch).await;
    assert!(matches!(verdicts[0], Verdict::Retry(_)), "{verdicts:?}");
    let after = Verdict::Retry("one before it failed".to_owned());
    assert_eq!(verdicts[1], after, "in its order, or not at all");
    assert!(matches!(verdicts[2], Verdict::Dead(_)), "{verdicts:?}");

    let store = Arc::clone(&service.app.store);
    let working = Arc::new(fulfil(&service, store, Scripted::willing()));
    let unknown = "0190a5d0-ac96-774b-bcce-b302099a8057";
    let told = r#"{"type":"order.completed.v1","subject":"x"}"#;
    let batch = [&first, "nonsense", &second, unknown, told, &first].map(|it| message(it, None));
    let verdicts = queue::batch(&working, &batch).await;
    let is_done = verdicts.iter().map(|verdict| *verdict == Verdict::Done);
    assert_eq!(
        is_done.collect::<Vec<_>>(),
        [true, false, true, false, true, true]
    );
    assert!(matches!(verdicts[1], Verdict::Dead(_)), "{verdicts:?}");
    let none = Verdict::Dead("there is no such order".to_owned());
    assert_eq!(verdicts[3], none);
    for id in [&first, &second] {
        assert_eq!(order(&service, id).await["status"], "completed");
    }
}

#[tokio::test]
async fn the_older_system_is_told_in_its_own_words() {
    let (service, topic, announcer) = begin(Format::Plain).await;
    let id = place(&service, "k", ORDER).await;
    announcer.hand_over(AGAIN_MS).pass().await.unwrap();
    let relay = announcer.relay(EndpointId::ORDER_EVENTS);
    relay.pass().await.unwrap();
    let bodies: Vec<String> = topic.told().into_iter().map(|it| it.body).collect();
    assert_eq!(bodies, [&*id, &*id]);
}

#[tokio::test]
async fn a_topic_stands_among_the_webhooks_and_can_only_be_deleted() {
    let (service, topic, announcer) = begin(Format::CloudEvents).await;
    let listed = service.get("/v1/webhooks").await.json();
    assert_eq!(listed["items"][0]["url"], TOPIC);
    let path = format!("/v1/webhooks/{}", EndpointId::ORDER_EVENTS);
    let disabled = r#"{"enabled":false}"#.to_owned();
    let changed = service.send("PATCH", &path, &[], disabled).await;
    changed.assert_problem(422, "validation_failed");
    let rotate = format!("{path}/rotate");
    let rotated = service.send("POST", &rotate, &[], String::new()).await;
    rotated.assert_problem(422, "validation_failed");

    let deleted = service.send("DELETE", &path, &[], String::new()).await;
    assert_eq!(deleted.status, 204);
    place(&service, "k", ORDER).await;
    announcer
        .relay(EndpointId::ORDER_EVENTS)
        .pass()
        .await
        .unwrap();
    assert_eq!(topic.kinds(), Vec::<&str>::new());
}

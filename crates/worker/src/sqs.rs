//! Orders from a queue of Amazon SQS: a batch of messages at a time, invisible to others while they
//! are worked on.
//!
//! A message is gone once its order needs none any more: what an order waits for is in the outbox. One
//! that could not be worked on for a reason that may pass becomes visible again later and later, until
//! the queue itself moves it to its dead letters. One that can never be worked on goes there at once.

pub mod dead_letters;

use crate::fulfil::Fulfil;
use crate::queue::{self, Message as Delivered, is_fifo};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName,
};
use serde::Deserialize;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use store::aws;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// The most messages that the service gives at a time.
pub const BATCH_MAX: usize = 10;
/// How long the service waits for a message before it says that there is none.
const WAIT: Duration = Duration::from_secs(20);
/// How long after the service could not be reached it is asked again.
const AWAY: Duration = Duration::from_secs(1);
/// The logarithm of the longest time, in seconds, after which a message becomes visible again.
const LONGEST_LOG2: u32 = 9;
/// The most attributes that a message may have.
const ATTRIBUTES_MAX: usize = 10;

/// A queue of orders to work on.
pub struct Queue {
    client: Client,
    url: String,
    /// Where what can never be worked on goes.
    dead_letters: Option<String>,
    /// How long a message is invisible once it was received.
    visibility: Duration,
}

/// How much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most messages that are received at a time, at most [`BATCH_MAX`].
    pub batch: usize,
    /// The most that are worked on at once.
    pub concurrency: usize,
}

/// What a queue says of its dead letters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
}

impl Queue {
    /// Looks at the queue with this URL.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn open(url: &str) -> Result<Self, String> {
        Self::look(Client::new(&aws::config().await), url).await
    }

    /// The queue with this ARN.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn of_arn(arn: &str) -> Result<Self, String> {
        let client = Client::new(&aws::config().await);
        let url = url_of(&client, arn).await?;
        Self::look(client, &url).await
    }

    async fn look(client: Client, url: &str) -> Result<Self, String> {
        let attributes = client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .send()
            .await
            .map_err(|error| aws::words(&error))?;
        let attribute = |name| attributes.attributes().and_then(|all| all.get(&name));
        let policy = attribute(QueueAttributeName::RedrivePolicy);
        let policy = policy.and_then(|text| serde_json::from_str::<RedrivePolicy>(text).ok());
        let visibility = attribute(QueueAttributeName::VisibilityTimeout);
        let visibility = visibility.and_then(|text| text.parse().ok()).unwrap_or(30);
        if visibility == 0 {
            return Err("its visibility time-out is 0; 30 seconds do well".to_owned());
        }
        let dead_letters = match policy {
            Some(policy) => Some(url_of(&client, &policy.dead_letter_target_arn).await?),
            None => None,
        };
        Ok(Self {
            client,
            url: url.to_owned(),
            dead_letters,
            visibility: Duration::from_secs(visibility),
        })
    }

    /// Whether there is a place for what can never be worked on.
    #[must_use]
    pub const fn buries(&self) -> bool {
        self.dead_letters.is_some()
    }

    /// Works on what comes until `stop`, then finishes what it holds.
    pub async fn run(self, fulfil: Fulfil, limits: Limits, stop: CancellationToken) {
        let (queue, fulfil) = (Arc::new(self), Arc::new(fulfil));
        let batch = limits.batch.clamp(1, BATCH_MAX);
        let batches_max = (limits.concurrency / batch).max(1);
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            while under_way.len() >= batches_max {
                if let Some(batch) = under_way.join_next().await {
                    finished(batch);
                }
            }
            // What is asked for is waited for: what came for somebody who has hung up stays invisible.
            let mut receiving = pin!(queue.receive(batch));
            let received = loop {
                tokio::select! {
                    received = &mut receiving => break received,
                    Some(batch) = under_way.join_next() => finished(batch),
                    () = stop.cancelled() => break Ok(Vec::new()),
                }
            };
            match received {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => {
                    let (queue, fulfil) = (Arc::clone(&queue), Arc::clone(&fulfil));
                    under_way.spawn(async move { queue.work_on(&fulfil, messages).await });
                }
                Err(why) => {
                    warn!("Could not receive from {}: {why}", queue.url);
                    stop.run_until_cancelled(sleep(AWAY)).await;
                }
            }
        }
        while let Some(batch) = under_way.join_next().await {
            finished(batch);
        }
    }

    async fn receive(&self, batch: usize) -> Result<Vec<Message>, String> {
        let receive = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(batch).unwrap_or(1))
            .wait_time_seconds(i32::try_from(WAIT.as_secs()).unwrap_or(0))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        let patience = TimeoutConfig::builder().operation_attempt_timeout(WAIT * 2);
        let patient = aws_sdk_sqs::config::Config::builder().timeout_config(patience.build());
        let received = receive.customize().config_override(patient).send().await;
        let received = received.map_err(|error| aws::words(&error))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Works on a batch, and keeps its messages invisible meanwhile.
    async fn work_on(&self, fulfil: &Arc<Fulfil>, messages: Vec<Message>) {
        let delivered: Vec<Delivered> = messages.iter().map(delivered).collect();
        let mut working = pin!(queue::batch(fulfil, &delivered));
        let verdicts = loop {
            tokio::select! {
                verdicts = &mut working => break verdicts,
                () = sleep(self.visibility / 2) => self.extend(&messages).await,
            }
        };
        let mut done = Vec::new();
        for (message, verdict) in messages.iter().zip(verdicts) {
            let id = id_of(message);
            let bury = async |why: String| {
                let body = message.body.as_deref().unwrap_or_default();
                self.bury(id, body, attributes(message), &why).await
            };
            if queue::is_done(id, verdict, bury).await {
                done.push(message);
            } else {
                self.give_back(message, (fulfil.random)()).await;
            }
        }
        self.delete(&done).await;
    }

    /// Keeps messages invisible for as long again.
    async fn extend(&self, messages: &[Message]) {
        for message in messages {
            self.hide(message, self.visibility).await;
        }
    }

    /// Has a message become visible again later, the later the oftener it was received.
    async fn give_back(&self, message: &Message, random: u64) {
        let longest = 1 << received(message).min(LONGEST_LOG2);
        let wait = Duration::from_secs(1 + random % longest);
        self.hide(message, wait).await;
    }

    /// Has a message become visible again after `wait`. If it does not, it is after its time-out.
    async fn hide(&self, message: &Message, wait: Duration) {
        let change = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .set_receipt_handle(message.receipt_handle.clone())
            .visibility_timeout(i32::try_from(wait.as_secs()).unwrap_or(i32::MAX));
        if let Err(error) = change.send().await {
            let id = id_of(message);
            warn!("Could not hide message {id}: {}", aws::words(&error));
        }
    }

    /// Moves a message, unchanged, to the dead letters of the queue, with why. Whether it is there;
    /// where the queue has none, it is left to the queue.
    pub async fn bury(
        &self,
        id: &str,
        body: &str,
        attributes: Vec<(String, String)>,
        why: &str,
    ) -> bool {
        let Some(dead_letters) = &self.dead_letters else {
            error!("Message {id} can never be worked on, and the queue has no dead letters: {why}");
            return false;
        };
        let text = |text: &str| {
            let text: String = text.chars().take(500).collect();
            let value = MessageAttributeValue::builder().data_type("String");
            value.string_value(text).build().ok()
        };
        let cause = [("reason", "poison"), ("error", why)];
        let cause = cause.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let attributes = attributes.into_iter().take(ATTRIBUTES_MAX - cause.len());
        let attributes: HashMap<String, MessageAttributeValue> = attributes
            .chain(cause)
            .filter_map(|(name, value)| Some((name, text(&value)?)))
            .collect();
        let mut send = self
            .client
            .send_message()
            .queue_url(dead_letters)
            .message_body(body)
            .set_message_attributes(Some(attributes));
        if is_fifo(dead_letters) {
            send = send.message_group_id(id).message_deduplication_id(id);
        }
        match send.send().await {
            Ok(_) => {
                error!("Moved message {id} to the dead letters: {why}");
                true
            }
            Err(error) => {
                warn!(
                    "Could not move message {id} to the dead letters: {}",
                    aws::words(&error)
                );
                false
            }
        }
    }

    /// Removes messages. One that stays comes again, and finds its order past it.
    async fn delete(&self, messages: &[&Message]) {
        let entry = |(number, message): (usize, &&Message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .set_receipt_handle(message.receipt_handle.clone())
                .build()
                .ok()
        };
        let entries: Option<Vec<_>> = messages.iter().enumerate().map(entry).collect();
        let Some(entries) = entries.filter(|entries| !entries.is_empty()) else {
            return;
        };
        let delete = self.client.delete_message_batch().queue_url(&self.url);
        match delete.set_entries(Some(entries)).send().await {
            Ok(deleted) if deleted.failed().is_empty() => {}
            Ok(deleted) => warn!("{} messages could not be deleted", deleted.failed().len()),
            Err(error) => warn!("Messages could not be deleted: {}", aws::words(&error)),
        }
    }
}

/// The URL of the queue with this ARN: `arn:aws:sqs:REGION:ACCOUNT:NAME`.
async fn url_of(client: &Client, arn: &str) -> Result<String, String> {
    let mut parts = arn.split(':').skip(4);
    let (Some(account), Some(name)) = (parts.next(), parts.next()) else {
        return Err(format!("{arn} is not the ARN of a queue"));
    };
    let get = client.get_queue_url().queue_name(name);
    let got = get.queue_owner_aws_account_id(account).send().await;
    let got = got.map_err(|error| aws::words(&error))?;
    got.queue_url
        .ok_or_else(|| format!("the service knows no URL of {arn}"))
}

fn delivered(message: &Message) -> Delivered {
    let group = MessageSystemAttributeName::MessageGroupId;
    let group = message.attributes().and_then(|all| all.get(&group));
    Delivered {
        body: message.body.clone().unwrap_or_default(),
        group: group.cloned(),
    }
}

/// The attributes of a message that are text.
fn attributes(message: &Message) -> Vec<(String, String)> {
    let all = message.message_attributes.iter().flatten();
    let text = |(name, value): (&String, &MessageAttributeValue)| {
        Some((name.clone(), value.string_value.clone()?))
    };
    all.filter_map(text).collect()
}

/// How often a message was received.
fn received(message: &Message) -> u32 {
    let count = MessageSystemAttributeName::ApproximateReceiveCount;
    let count = message.attributes().and_then(|all| all.get(&count));
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn id_of(message: &Message) -> &str {
    message.message_id.as_deref().unwrap_or("?")
}

fn finished(batch: Result<(), tokio::task::JoinError>) {
    if let Err(error) = batch {
        error!("Working on a batch panicked; its messages come again: {error}");
    }
}

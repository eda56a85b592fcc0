//! Topics of Amazon SNS.

use crate::queue::is_fifo;
use crate::relay::{Message, Publish};
use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use store::aws;

/// The most messages that the service takes at a time.
const BATCH_MAX: usize = 10;

/// The service, as the environment describes it.
pub struct Sns {
    client: Client,
}

impl Sns {
    /// A client of it. Nothing is asked yet.
    pub async fn new() -> Self {
        Self {
            client: Client::new(&aws::config().await),
        }
    }
}

#[async_trait]
impl Publish for Sns {
    async fn publish(&self, topic_arn: &str, messages: &[Message]) -> (usize, Option<String>) {
        for (number, batch) in messages.chunks(BATCH_MAX).enumerate() {
            let (taken, why) = self.publish_batch(topic_arn, batch).await;
            if why.is_some() {
                return (number * BATCH_MAX + taken, why);
            }
        }
        (messages.len(), None)
    }
}

impl Sns {
    async fn publish_batch(&self, topic_arn: &str, batch: &[Message]) -> (usize, Option<String>) {
        let is_fifo = is_fifo(topic_arn);
        let entries = batch
            .iter()
            .enumerate()
            .map(|(number, message)| entry(number, message, is_fifo))
            .collect();
        let publish = self.client.publish_batch().topic_arn(topic_arn);
        let published = match publish
            .set_publish_batch_request_entries(entries)
            .send()
            .await
        {
            Ok(published) => published,
            Err(error) => return (0, Some(aws::words(&error))),
        };
        let number = |id: &str| id.parse::<usize>().ok();
        let first = published
            .failed()
            .iter()
            .filter_map(|failed| Some((number(&failed.id)?, failed)))
            .min_by_key(|(number, _)| *number);
        match first {
            Some((number, failed)) => {
                let why = failed.message.as_deref().unwrap_or_default();
                (number, Some(format!("{}: {why}", failed.code)))
            }
            None => (batch.len(), None),
        }
    }
}

/// `None` where something is missing, which cannot be: all that the service insists on is there.
fn entry(number: usize, message: &Message, is_fifo: bool) -> Option<PublishBatchRequestEntry> {
    let text = |value: &str| {
        let attribute = MessageAttributeValue::builder().data_type("String");
        attribute.string_value(value).build().ok()
    };
    let mut entry = PublishBatchRequestEntry::builder()
        .id(number.to_string())
        .message(&message.body)
        .set_subject(message.subject.clone())
        .message_attributes("event_type", text(message.kind)?);
    if let Some(traceparent) = &message.traceparent {
        entry = entry.message_attributes("traceparent", text(traceparent)?);
    }
    if is_fifo {
        entry = entry
            .message_group_id(message.order_id.to_string())
            .message_deduplication_id(&message.deduplication_id);
    }
    entry.build().ok()
}

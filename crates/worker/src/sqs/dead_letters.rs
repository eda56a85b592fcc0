//! The dead letters of a queue: looked at, sent back to where they came from, or removed.

use super::{BATCH_MAX, attributes};
use crate::queue::is_fifo;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use std::collections::HashMap;
use std::time::Duration;
use store::aws;
use tracing::warn;

/// How long what was taken is invisible to others, unless it is put back before.
const TAKEN: Duration = Duration::from_mins(5);
/// How long the service looks for letters: asked for what is at hand, it may say that there are none.
const LOOK: Duration = Duration::from_secs(1);

/// A queue of dead letters.
pub struct DeadLetters {
    client: Client,
    url: String,
}

/// A message that nobody could work on.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its name.
    pub id: String,
    /// What it says, as it was.
    pub body: String,
    /// Its attributes that are text; among them `reason` and `error`, where it is known why.
    pub attributes: HashMap<String, String>,
    message: Message,
}

impl DeadLetters {
    /// Those in the queue with this URL. Nothing is asked yet.
    pub async fn new(url: &str) -> Self {
        Self {
            client: Client::new(&aws::config().await),
            url: url.to_owned(),
        }
    }

    /// Takes at most so many out of the sight of others, until they are `enough`.
    ///
    /// # Errors
    /// Why the queue cannot be used.
    pub async fn take(
        &self,
        max: usize,
        enough: impl Fn(&[DeadLetter]) -> bool,
    ) -> Result<Vec<DeadLetter>, String> {
        let mut taken = Vec::new();
        while taken.len() < max && !enough(&taken) {
            let batch = (max - taken.len()).min(BATCH_MAX);
            let received = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(i32::try_from(batch).unwrap_or(1))
                .visibility_timeout(i32::try_from(TAKEN.as_secs()).unwrap_or(0))
                .wait_time_seconds(i32::try_from(LOOK.as_secs()).unwrap_or(0))
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
                .send()
                .await
                .map_err(|error| aws::words(&error))?;
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            taken.extend(messages.into_iter().map(|message| DeadLetter {
                id: super::id_of(&message).to_owned(),
                body: message.body.clone().unwrap_or_default(),
                attributes: attributes(&message).into_iter().collect(),
                message,
            }));
        }
        Ok(taken)
    }

    /// Has letters that were taken seen by others again; where that fails, in five minutes.
    pub async fn put_back(&self, letters: &[DeadLetter]) {
        for letter in letters {
            let change = self
                .client
                .change_message_visibility()
                .queue_url(&self.url)
                .set_receipt_handle(letter.message.receipt_handle.clone())
                .visibility_timeout(0);
            if let Err(error) = change.send().await {
                let why = aws::words(&error);
                warn!(
                    "Could not put {} back; it is seen again later: {why}",
                    letter.id
                );
            }
        }
    }

    /// The queue whose dead letters these are.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub async fn source(&self) -> Result<String, String> {
        let list = self.client.list_dead_letter_source_queues();
        let listed = list.queue_url(&self.url).send().await;
        let listed = listed.map_err(|error| aws::words(&error))?;
        match &listed.queue_urls[..] {
            [source] => Ok(source.clone()),
            sources => Err(format!(
                "it has the dead letters of {} queues",
                sources.len()
            )),
        }
    }

    /// Sends a letter to a queue, without why it died, and removes it here. If that is cut off
    /// between the two, it is in both, and worked on once.
    ///
    /// # Errors
    /// Why it could not be sent or removed.
    pub async fn redrive(&self, letter: &DeadLetter, to: &str) -> Result<(), String> {
        let own = letter.message.message_attributes.iter().flatten();
        let own = own.filter(|(name, _)| !["reason", "error"].contains(&name.as_str()));
        let attributes: HashMap<String, MessageAttributeValue> = own
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut send = self.client.send_message().queue_url(to);
        if is_fifo(to) {
            let group = MessageSystemAttributeName::MessageGroupId;
            let group = letter.message.attributes().and_then(|all| all.get(&group));
            send = send
                .message_group_id(group.unwrap_or(&letter.id))
                .message_deduplication_id(format!("{}:redriven", letter.id));
        }
        send.message_body(&letter.body)
            .set_message_attributes(Some(attributes))
            .send()
            .await
            .map_err(|error| aws::words(&error))?;
        self.remove(letter).await
    }

    /// Removes a letter for good.
    ///
    /// # Errors
    /// Why it could not be removed.
    pub async fn remove(&self, letter: &DeadLetter) -> Result<(), String> {
        self.client
            .delete_message()
            .queue_url(&self.url)
            .set_receipt_handle(letter.message.receipt_handle.clone())
            .send()
            .await
            .map_err(|error| aws::words(&error))?;
        Ok(())
    }
}

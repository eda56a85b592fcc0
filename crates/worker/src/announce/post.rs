//! Sends a message to an endpoint, signed as Standard Webhooks 1.0.0 says, and only to where
//! webhooks may go: a name is resolved once, and what is connected to is what was checked.

use crate::providers::http::{client, read, retry_after_s, words_of};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::webhook::target::{self, Reach, is_public};
use domain::{Endpoint, Event, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use sha2::Sha256;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Sends messages.
pub struct Post {
    reach: Reach,
    user_agent: &'static str,
    timeout: Duration,
    /// Made for the first message: where nobody is told, no certificates are in memory.
    client: OnceLock<Result<Client, String>>,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was answered, where something was.
    pub status: Option<u16>,
    /// What went wrong, for people.
    pub error: Option<Box<str>>,
    /// How long the endpoint wants to be left alone, in ms.
    pub after_ms: Option<i64>,
}

impl Post {
    /// Sends to where `reach` says, as `user_agent`; a try may take so long.
    #[must_use]
    pub const fn new(reach: Reach, user_agent: &'static str, timeout: Duration) -> Self {
        let client = OnceLock::new();
        Self {
            reach,
            user_agent,
            timeout,
            client,
        }
    }

    fn client(&self) -> Result<&Client, String> {
        let made = self.client.get_or_init(|| {
            client()
                .user_agent(self.user_agent)
                .timeout(self.timeout)
                // A proxy would connect to what nobody checked.
                .no_proxy()
                .dns_resolver(Arc::new(Checked(self.reach)))
                .build()
                .map_err(|error| words_of(&error))
        });
        made.as_ref().map_err(String::clone)
    }

    /// Sends the message of an event.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        event: &Event,
        message: String,
        now: Timestamp,
    ) -> Outcome {
        let url = match target::parse(&endpoint.url, self.reach) {
            Ok(url) => url,
            Err(why) => return failed(format!("its URL {why}")),
        };
        let client = match self.client() {
            Ok(client) => client,
            Err(why) => return failed(why),
        };
        let (id, timestamp) = (event.id.to_string(), now.as_millis() / 1_000);
        let signatures: Vec<String> = endpoint
            .keys(now)
            .filter_map(|key| signature(key, &id, timestamp, &message))
            .collect();
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(message);
        if let Some(trace) = event.traceparent {
            request = request.header("traceparent", trace.to_string());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(words_of(&error)),
        };
        let status = response.status().as_u16();
        // RFC 9110, 10.2.3; with other statuses it is about something else.
        let waits = matches!(status, 429 | 503);
        let after_s = retry_after_s(&response).filter(|_| waits);
        // What it says is of no interest; read to its end, the connection can be used again.
        drop(read(response).await);
        Outcome {
            status: Some(status),
            error: (status / 100 != 2).then(|| format!("it answered {status}").into()),
            after_ms: after_s.map(|seconds| seconds.saturating_mul(1_000)),
        }
    }
}

/// The signature of a message under a key in base64: `v1,` and the HMAC-SHA256 of id, time and
/// message in base64. `None` where the key is none.
#[must_use]
pub fn signature(key: &str, id: &str, timestamp: i64, message: &str) -> Option<String> {
    let key = BASE64_STANDARD.decode(key).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(message.as_bytes());
    let digest = mac.finalize().into_bytes();
    Some(format!("v1,{}", BASE64_STANDARD.encode(digest)))
}

fn failed(error: String) -> Outcome {
    Outcome {
        status: None,
        error: Some(error.into()),
        after_ms: None,
    }
}

/// Resolves names to addresses that webhooks may go to, and no others.
struct Checked(Reach);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(allowed(found, reach)?)
        })
    }
}

/// The addresses among `found` that webhooks may go to.
fn allowed(found: impl Iterator<Item = SocketAddr>, reach: Reach) -> io::Result<Addrs> {
    let allowed: Vec<SocketAddr> = found
        .filter(|address| reach == Reach::Any || is_public(address.ip()))
        .collect();
    if allowed.is_empty() {
        return Err(io::Error::other("its name stands for no public address"));
    }
    Ok(Box::new(allowed.into_iter()))
}

#[cfg(test)]
mod tests;

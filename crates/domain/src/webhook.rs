//! Who is told of events, where, and how often it is tried: webhooks, in the form of Standard Webhooks
//! 1.0.0, and topics.

pub mod target;

use crate::{
    Change, DeliveryId, EndpointId, EventId, EventKind, OrderId, RecordId, RecordKind, Timestamp,
};
use serde::{Deserialize, Serialize};

/// How long an old secret still signs after it was replaced, in ms.
pub const ROTATION_MS: i64 = 24 * HOUR_S * 1_000;

const HOUR_S: i64 = 3_600;
/// How long to wait after each try that failed, in seconds: ten tries in three days.
const WAITS_S: [i64; 9] = [
    5,
    5 * 60,
    30 * 60,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    14 * HOUR_S,
    20 * HOUR_S,
    24 * HOUR_S,
];

/// Somebody who is told of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where to: of a webhook, see [`target::parse`]; of a topic, its ARN.
    pub url: String,
    /// Of which kinds of events, in their words; of all that others are told, where it is empty.
    pub events: Vec<String>,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// Why nobody is told there any more, and since when, in ms since 1970.
    pub disabled: Option<(Disabled, i64)>,
    /// What signs, the newest first; only a topic has none.
    pub secrets: Vec<Secret>,
    /// When it was made, in ms since 1970.
    pub created_at_ms: i64,
    /// Whether it is a topic through which orders reach a queue of workers.
    #[serde(default)]
    pub hands_over: bool,
}

/// Why nobody is told any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disabled {
    /// Its owner wants it so.
    ByHand,
    /// It answered 410.
    Gone,
    /// Nothing got through to it for days.
    Failing,
}

impl Disabled {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// What signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The key, in base64.
    pub key: String,
    /// Until when it signs, in ms since 1970; `None` for the newest.
    pub until_ms: Option<i64>,
}

impl Endpoint {
    /// A topic, which is told of events of these kinds; of all that others are told, where there are
    /// none.
    #[must_use]
    pub fn topic(arn: String, kinds: &[EventKind], now: Timestamp) -> Self {
        Self {
            url: arn,
            events: kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
            description: None,
            disabled: None,
            secrets: Vec::new(),
            created_at_ms: now.as_millis(),
            hands_over: false,
        }
    }

    /// Whether it is a topic of a message service rather than a webhook.
    #[must_use]
    pub fn is_topic(&self) -> bool {
        self.url.starts_with("arn:")
    }

    /// Whether it is told of an event of this kind.
    #[must_use]
    pub fn wants(&self, kind: EventKind) -> bool {
        let chosen = self.events.is_empty() || self.events.iter().any(|it| it == kind.as_str());
        chosen && kind.is_public() && self.disabled.is_none()
    }

    /// The keys that sign at `now`, in base64, the newest first.
    pub fn keys(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.secrets
            .iter()
            .filter(move |secret| secret.until_ms.is_none_or(|until| now.as_millis() < until))
            .map(|secret| &*secret.key)
    }

    /// Signs with `key` from now on, and with the one before it for [`ROTATION_MS`] more.
    pub fn rotate(&mut self, key: String, now: Timestamp) {
        self.secrets.truncate(1);
        for old in &mut self.secrets {
            old.until_ms = Some(now.as_millis() + ROTATION_MS);
        }
        let until_ms = None;
        self.secrets.insert(0, Secret { key, until_ms });
    }

    /// The name of an endpoint among the records.
    #[must_use]
    pub fn record_id(id: EndpointId) -> RecordId {
        RecordId {
            kind: RecordKind::Endpoint,
            id: id.to_string().into(),
        }
    }

    /// Writes the endpoint where the version `was` stands.
    #[must_use]
    pub fn change(&self, id: EndpointId, was: u32) -> Change {
        let body = serde_json::to_vec(self).expect("an endpoint has only text and numbers");
        Change::Record {
            id: Self::record_id(id),
            was,
            body: Some(body.into()),
        }
    }

    /// The endpoint in a record; `None` where it holds none.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// One try to deliver an event to an endpoint, as its log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name; it was minted when the try began.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint_id: EndpointId,
    /// Of which event.
    pub event_id: EventId,
    /// What had happened.
    pub kind: EventKind,
    /// To which order.
    pub order_id: OrderId,
    /// Which try of the event it was, from 1.
    pub number: u32,
    /// What was answered, where something was.
    pub status: Option<u16>,
    /// What went wrong, for people; `None` where nothing did.
    pub error: Option<Box<str>>,
    /// How long it took, in ms.
    pub duration_ms: u32,
}

impl Delivery {
    /// Whether the endpoint took it.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status / 100 == 2)
    }
}

/// How long to wait after so many tries that failed, in ms, spread by `random`; longer where the
/// endpoint said so, but no longer than a day. `None`: it is given up.
#[must_use]
pub fn wait(tries: u32, random: u64, after_ms: Option<i64>) -> Option<i64> {
    let index = usize::try_from(tries).ok()?.checked_sub(1)?;
    let wait_ms = WAITS_S.get(index)? * 1_000;
    let spread = wait_ms / 5;
    let jitter = i64::try_from(random % spread.unsigned_abs()).unwrap_or(0);
    let wait_ms = wait_ms - spread / 2 + jitter;
    Some(wait_ms.max(after_ms.unwrap_or(0)).min(24 * HOUR_S * 1_000))
}

#[cfg(test)]
mod tests;

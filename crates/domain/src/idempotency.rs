//! Idempotency keys: one key, one effect, one answer.
//!
//! A record is written by the commit that made its effect true, so there is no "in progress": a key
//! is free, or its answer is known. Refusals and failures are never recorded.

use crate::json::Json;
use crate::{Order, OrderId, Refusal, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;

/// The most characters of a key.
pub const KEY_MAX: usize = 255;

/// The client's name for one request: 1 to [`KEY_MAX`] printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Box<str>);

impl Key {
    /// Reads the value of an `Idempotency-Key` header. `"abc"`, the quoted form of the IETF draft
    /// (draft-ietf-httpapi-idempotency-key-header), and `abc` are one key.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let text = str::from_utf8(header).ok()?.trim_matches(' ');
        let quoted = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let text = quoted.unwrap_or(text);
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        ((1..=KEY_MAX).contains(&text.len()) && printable).then(|| Self(text.into()))
    }

    /// The key, as it is compared: byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who asks. Without authentication everyone is [`Principal::anonymous`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Box<str>);

impl Principal {
    /// Whoever comes without a token.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("".into())
    }

    /// The principal with this name, as a store kept it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name; empty for the anonymous one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key can be for: a method and a route template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /v1/orders`; an order of a batch is the same as one by itself.
    PlaceOrder,
    /// `POST /orders`, whatever the contract.
    PlaceContractOrder,
    /// `POST /v1/products`.
    CreateProduct,
    /// `POST /products`.
    CreateContractProduct,
    /// `POST /v1/orders/{order_id}/refunds`.
    RequestRefund,
}

impl Operation {
    /// Every operation that takes a key.
    pub const ALL: [Self; 5] = [
        Self::PlaceOrder,
        Self::PlaceContractOrder,
        Self::CreateProduct,
        Self::CreateContractProduct,
        Self::RequestRefund,
    ];

    /// The HTTP method.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::PlaceOrder
            | Self::PlaceContractOrder
            | Self::CreateProduct
            | Self::CreateContractProduct
            | Self::RequestRefund => "POST",
        }
    }

    /// The route template.
    #[must_use]
    pub const fn route(self) -> &'static str {
        match self {
            Self::PlaceOrder => "/v1/orders",
            Self::PlaceContractOrder => "/orders",
            Self::CreateProduct => "/v1/products",
            Self::CreateContractProduct => "/products",
            Self::RequestRefund => "/v1/orders/{order_id}/refunds",
        }
    }

    /// A small number that stands for it where it is stored; never given to another.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::PlaceOrder => 1,
            Self::PlaceContractOrder => 2,
            Self::CreateProduct => 3,
            Self::CreateContractProduct => 4,
            Self::RequestRefund => 5,
        }
    }

    /// The operation with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.code() == code)
    }
}

/// Where a key is one: the same key of another principal or for another operation is another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Whose.
    pub principal: Principal,
    /// For what.
    pub operation: Operation,
    /// The key.
    pub key: Key,
}

/// What the client sent, as 16 bytes: the first half of SHA-256 over operation and canonical body,
/// before defaults. Half is enough: whoever finds two bodies with one fingerprint fools himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The scheme it was made by; fingerprints of different schemes are never equal.
    pub scheme: u8,
    /// The digest.
    pub digest: [u8; 16],
}

impl Fingerprint {
    /// The scheme of [`Fingerprint::of`].
    pub const SCHEME: u8 = 1;

    /// The fingerprint of a request.
    #[must_use]
    pub fn of(operation: Operation, body: &Json) -> Self {
        let digest = Sha256::new()
            .chain_update(operation.method())
            .chain_update([0])
            .chain_update(operation.route())
            .chain_update([0])
            .chain_update(body.canonical())
            .finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self {
            scheme: Self::SCHEME,
            digest: half,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The answer that a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; always a 2xx.
    pub status: u16,
    /// The bytes of the body.
    pub body: Body,
}

/// The bytes of an answer, or what gives them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Rebuilt byte for byte from the order as it was placed, by the renderer with this number.
    /// A renderer that was ever released stays for ever.
    Rendered(u8),
    /// Kept as they were sent.
    Stored(Box<[u8]>),
}

/// A record: what was remembered under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the client sent then.
    pub fingerprint: Fingerprint,
    /// What it was answered.
    pub reply: Reply,
    /// The order that the answer is about, as it is now: what the answer is rebuilt from.
    pub order: Option<Order>,
    /// When.
    pub created_at: Timestamp,
}

impl Seen {
    /// The id of the order that the answer is about.
    #[must_use]
    pub fn order_id(&self) -> Option<OrderId> {
        self.order.as_ref().map(|order| order.id)
    }
}

/// How long a key is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// For how long its answer is given again, in milliseconds.
    pub reply_ms: i64,
    /// For how long after that it is refused, rather than taken for a new one, in milliseconds.
    pub tombstone_ms: i64,
}

impl Retention {
    /// Records from before this time are forgotten altogether.
    #[must_use]
    pub const fn forget_before(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(-self.reply_ms.saturating_add(self.tombstone_ms))
    }

    /// When the answer of a record stops being given again.
    #[must_use]
    pub const fn expires_at(&self, seen: &Seen) -> Timestamp {
        seen.created_at.plus_millis(self.reply_ms)
    }
}

/// The answer for a key that was met again: the recorded one, if the request is the same and the
/// record is young enough.
///
/// # Errors
/// [`Refusal::KeyReused`] for another request, [`Refusal::KeyExpired`] for a tombstone.
pub fn replay<'a>(
    seen: &'a Seen,
    sent: &Fingerprint,
    now: Timestamp,
    retention: &Retention,
) -> Result<&'a Reply, Refusal> {
    if seen.fingerprint != *sent {
        return Err(Refusal::KeyReused);
    }
    if now >= retention.expires_at(seen) {
        return Err(Refusal::KeyExpired {
            order_id: seen.order_id(),
        });
    }
    Ok(&seen.reply)
}

#[cfg(test)]
mod tests;

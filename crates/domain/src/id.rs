//! The ids that orderd mints: UUIDs of version 7 (RFC 9562), plain lower-case on the wire. Orders
//! that come from other systems keep theirs: UUIDs of version 4, and numbers.

use crate::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// How many bits of a UUIDv7's first half count within a millisecond.
const COUNTER_BITS: u32 = 12;
/// The bits of a second half that are random.
const RANDOM_BITS: u64 = u64::MAX >> 2;
/// Set in the second half of a UUID of version 4.
const VERSION_4: u64 = 1 << 62;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The one with this UUID.
            #[must_use]
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads the one spelling that orderd writes: 36 characters, lower case, with hyphens.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                parse(text).map(Self)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            /// When it was minted.
            #[must_use]
            pub fn minted_at(self) -> Timestamp {
                Timestamp::from_millis((first_half(self.0) >> COUNTER_BITS).cast_signed())
            }

            /// One that is before this one, with nothing that [`Ids`] minted between the two: to
            /// begin a list of what comes after it with this one.
            #[must_use]
            pub fn preceding(self) -> Self {
                Self(from_halves(first_half(self.0).saturating_sub(1), RANDOM_BITS))
            }

            /// The least id that [`Ids`] could mint at `time`: a bound for "since then".
            #[must_use]
            pub fn least_at(time: Timestamp) -> Self {
                Self(from_halves(
                    time.as_millis().cast_unsigned() << COUNTER_BITS,
                    0,
                ))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// Names one order for ever.
    OrderId
}
impl OrderId {
    /// The most that a number may be.
    pub const NUMBER_MAX: u64 = u32::MAX as u64;

    /// The id of the order that another system numbered so: a UUIDv7 of the first days of 1970 with
    /// nothing random in it, which nobody mints.
    #[must_use]
    pub fn numbered(number: u64) -> Option<Self> {
        let there_is = (1..=Self::NUMBER_MAX).contains(&number);
        there_is.then(|| Self(from_halves(number, 0)))
    }

    /// The number that another system gave it, where one did.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        let number = first_half(self.0);
        (Self::numbered(number) == Some(self)).then_some(number)
    }
}

id! {
    /// Names one event for ever; consumers dedupe on it.
    EventId
}
id! {
    /// Names somebody who is told of events: a webhook endpoint, or a topic.
    EndpointId
}
impl EndpointId {
    /// The topic of all events. Like those of numbered orders, nobody mints it; 1 stands for
    /// fulfilment in the outbox of a file.
    pub const ORDER_EVENTS: Self = Self(from_halves(2, 0));
    /// The topic of orders that are completed.
    pub const ORDER_COMPLETED: Self = Self(from_halves(3, 0));
}
id! {
    /// Names one try to deliver an event to an endpoint.
    DeliveryId
}

/// Mints UUIDv7s whose first halves only ever grow (RFC 9562, 6.2, method 1: the twelve bits after
/// the time are a counter), so that a store may order and find rows by the first half alone.
///
/// **Invariant:** two ids of one `Ids` never share their first half, whatever the clock does.
pub struct Ids {
    random: Box<dyn Fn() -> u64 + Send + Sync>,
    last: AtomicU64,
}

impl Ids {
    /// Mints ids with the last 62 bits from `random`, which nobody outside may be able to guess.
    pub fn new(random: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            random: Box::new(random),
            last: AtomicU64::new(0),
        }
    }

    /// Mints nothing at or before `id` from now on: an owner of stored ids says so at its start,
    /// since the clock may have been set back while it was down.
    pub fn start_after(&self, id: Uuid) {
        self.last.fetch_max(first_half(id), Ordering::Relaxed);
    }

    /// A new UUID for something that happens at `now`.
    #[must_use]
    pub fn mint(&self, now: Timestamp) -> Uuid {
        let earliest = now.as_millis().cast_unsigned() << COUNTER_BITS;
        let step = |last: u64| earliest.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(step(last))
            })
            .expect("the step always gives a next value");
        from_halves(step(last), (self.random)() & RANDOM_BITS)
    }
}

/// The time and the counter of a UUIDv7, which of another version are no such thing: 60 bits, without
/// the version.
#[must_use]
pub fn first_half(id: Uuid) -> u64 {
    let high = id.as_u64_pair().0;
    (high >> 16 << COUNTER_BITS) | (high & 0xfff)
}

/// The last 62 bits of a UUID, without the variant; one more is set for version 4.
#[must_use]
pub fn second_half(id: Uuid) -> u64 {
    let version = if id.get_version_num() == 4 {
        VERSION_4
    } else {
        0
    };
    id.as_u64_pair().1 & RANDOM_BITS | version
}

/// The UUID of two such halves; bits beyond 60 and 63 are dropped.
#[must_use]
pub const fn from_halves(first: u64, second: u64) -> Uuid {
    let version = if second & VERSION_4 == 0 {
        0x7000
    } else {
        0x4000
    };
    let high = (first >> COUNTER_BITS << 16) | version | (first & 0xfff);
    Uuid::from_u64_pair(high, (second & RANDOM_BITS) | (1 << 63))
}

/// Of the versions that there are orders of: two halves say no more than which of the two it is.
fn parse(text: &str) -> Option<Uuid> {
    let lower_case = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let id = lower_case.then(|| Uuid::parse_str(text).ok()).flatten()?;
    matches!(id.get_version_num(), 4 | 7).then_some(id)
}

#[cfg(test)]
mod tests;

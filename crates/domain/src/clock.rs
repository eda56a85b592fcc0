//! Time as the rules see it: a number of milliseconds that somebody hands in.

use jiff::tz::TimeZone;
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z; at the edge, RFC 3339 with three decimals and `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The start of 1970, the earliest time that orderd knows.
    pub const EPOCH: Self = Self(0);
    /// The latest time that can be printed: the last days of the year 9999.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// A time from milliseconds since 1970, moved into the years 1970 to 9999.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self::EPOCH
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time, `millis` later; stays within the years 1970 to 9999.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Reads an RFC 3339 time with any offset; finer than a millisecond is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let millis = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
        (0..=Self::MAX.0).contains(&millis).then_some(Self(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0)
            .expect("the years 1970 to 9999 are within jiff's range")
            .to_zoned(TimeZone::UTC)
            .datetime();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        )
    }
}

/// Tells the time. The real one is in the binary, a hand-moved one in the tests.
pub trait Clock: Send + Sync {
    /// The time now, by the wall clock.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests;

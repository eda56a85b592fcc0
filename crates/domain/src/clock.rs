//! Time as the rules see it: a number of milliseconds that somebody hands in.

use jiff::tz::Offset;
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
            .expect("the years 1970 to 9999 are within jiff's range");
        let time = Offset::UTC.to_datetime(time);
        // Every order has two of these in every answer: digits are put in place, which takes a
        // third of the time that formatting with widths takes.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put(&mut text[0..4], time.year());
        put(&mut text[5..7], time.month().into());
        put(&mut text[8..10], time.day().into());
        put(&mut text[11..13], time.hour().into());
        put(&mut text[14..16], time.minute().into());
        put(&mut text[17..19], time.second().into());
        put(&mut text[20..23], time.millisecond());
        f.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// Writes a number that is not negative, with leading zeros.
fn put(place: &mut [u8], mut number: i16) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit is below ten");
        number /= 10;
    }
}

/// Tells the time. The real one is in the binary, a hand-moved one in the tests.
pub trait Clock: Send + Sync {
    /// The time now, by the wall clock.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests;

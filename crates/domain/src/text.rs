//! Names that clients give: bounded text without control characters, the same on every store.

use std::fmt;
use std::sync::Arc;

/// Bounded text: at least one character that is not blank, at most `MAX` characters, no control
/// characters (PostgreSQL would refuse a NUL, a terminal would obey an escape). A copy shares it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(Arc<str>);

/// Who an order is for, as the client numbers its customers.
pub type CustomerId = Text<128>;
/// What a line is about, as the client numbers its goods.
pub type ItemId = Text<128>;
/// The name of a customer or of an item, for people.
pub type Name = Text<200>;
/// A word that an older system's client set as the status of a recorded-only order.
pub type Label = Text<20>;

impl<const MAX: usize> Text<MAX> {
    /// The most characters that fit.
    pub const MAX: usize = MAX;

    /// The text, where it keeps to the bounds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Bytes first: for ASCII, almost all of what comes, they decide alone.
        let fits = text.len() <= MAX || text.chars().count() <= MAX;
        let visible = !text.chars().any(char::is_control) && !text.trim().is_empty();
        (fits && visible).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;

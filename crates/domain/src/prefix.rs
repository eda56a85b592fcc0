//! What stands before every path where a proxy in front has the service below a path of its own, and
//! takes that off.

use std::fmt;

/// What stands before every path: nothing, or `/…` without a slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// The most bytes of one.
    pub const MAX: usize = 128;

    /// Reads a prefix, with or without a slash at its end: segments of letters, digits, `-`, `.`, `_`
    /// and `~`. So it leads to no other host, wherever it is put before a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_known);
        let fits = match text.strip_prefix('/') {
            Some(segments) => text.len() <= Self::MAX && segments.split('/').all(is_segment),
            None => text.is_empty(),
        };
        fits.then(|| Self(text.into()))
    }

    /// Whether nothing stands before a path.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;

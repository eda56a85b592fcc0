//! Access tokens: who may do what. A token is shown once and kept as its digest.

use crate::{Name, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use uuid::Uuid;

/// What every token begins with, so that one that leaked is known for what it is.
pub const PREFIX: &str = "orderd_";

/// A token, without what is secret about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name for programs: the principal of its requests.
    pub id: Uuid,
    /// Its name for people.
    pub name: Option<Name>,
    /// What it may do.
    pub scope: TokenScope,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a token may do; each may do all that the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Read.
    Read,
    /// Place and change.
    Write,
    /// Administer.
    Admin,
}

impl TokenScope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// What is kept of a token: its SHA-256 in hex. A token has 256 random bits, so nobody finds it by
/// its digest, and looking the digest up tells nothing by the time that it takes.
#[must_use]
pub fn digest(token: &[u8]) -> String {
    let digest = Sha256::digest(token);
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

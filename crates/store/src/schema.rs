//! What the schemas of all SQL engines have in common.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// What is recorded of a migration that was run: a released one never changes.
pub(crate) fn checksum(sql: &str) -> String {
    let digest = Sha256::digest(sql);
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

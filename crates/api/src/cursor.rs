//! Cursors: where the next page of a list begins, signed so that nobody makes one up, and bound to
//! the filters of the list that gave it.

use crate::problem::{Code, Problem};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::OrderId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Half of the HMAC is enough against guessing and keeps the cursor short.
const TAG_BYTES: usize = 16;

/// The cursor of the page of `list` that begins after `position`.
pub(crate) fn seal(key: &[u8; 32], position: &[u8], list: &str) -> String {
    let tag = mac(key, position, list).finalize().into_bytes();
    BASE64_URL_SAFE_NO_PAD.encode([&tag[..TAG_BYTES], position].concat())
}

/// Where a cursor points, if [`seal`] made it with this key for this list.
fn open(key: &[u8; 32], cursor: &str, list: &str) -> Result<Vec<u8>, Problem> {
    let position = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, position) = bytes.split_at_checked(TAG_BYTES)?;
        mac(key, position, list).verify_truncated_left(tag).ok()?;
        Some(position.to_vec())
    };
    position().ok_or_else(invalid)
}

/// The order that a cursor points at.
pub(crate) fn open_order(key: &[u8; 32], cursor: &str, list: &str) -> Result<OrderId, Problem> {
    let position = open(key, cursor, list)?;
    Uuid::from_slice(&position)
        .map(OrderId::new)
        .map_err(|_| invalid())
}

/// The id that a cursor points at.
pub(crate) fn open_text(key: &[u8; 32], cursor: &str, list: &str) -> Result<Box<str>, Problem> {
    let position = open(key, cursor, list)?;
    String::from_utf8(position)
        .map(Into::into)
        .map_err(|_| invalid())
}

fn invalid() -> Problem {
    Problem::new(
        Code::CursorInvalid,
        "The cursor is not one of this list with these filters; begin without one.",
    )
}

/// No list has a NUL in its name, so no two of them can be taken for each other.
fn mac(key: &[u8; 32], position: &[u8], list: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key)
        .expect("HMAC takes keys of any length")
        .chain_update(list)
        .chain_update([0])
        .chain_update(position)
}

#[cfg(test)]
mod tests;

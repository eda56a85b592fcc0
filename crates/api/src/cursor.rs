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

/// The cursor of the page that begins after `position`.
pub(crate) fn seal(key: &[u8; 32], position: OrderId, filters: &str) -> String {
    let id = position.as_uuid().into_bytes();
    let tag = mac(key, &id, filters).finalize().into_bytes();
    BASE64_URL_SAFE_NO_PAD.encode([&id[..], &tag[..TAG_BYTES]].concat())
}

/// Where a cursor points, if [`seal`] made it with this key for these filters.
pub(crate) fn open(key: &[u8; 32], cursor: &str, filters: &str) -> Result<OrderId, Problem> {
    let position = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (id, tag) = bytes.split_first_chunk::<16>()?;
        let whole = tag.len() == TAG_BYTES;
        mac(key, id, filters)
            .verify_truncated_left(tag)
            .ok()
            .filter(|()| whole)?;
        Some(OrderId::new(Uuid::from_bytes(*id)))
    };
    position().ok_or_else(|| {
        Problem::new(
            Code::CursorInvalid,
            "The cursor is not one of this list with these filters; begin without one.",
        )
    })
}

fn mac(key: &[u8; 32], id: &[u8; 16], filters: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key)
        .expect("HMAC takes keys of any length")
        .chain_update(id)
        .chain_update(filters)
}

#[cfg(test)]
mod tests;

//! What is kept in Redis: the body, a JSON object as an older system's users know it, with one
//! field more at its end that says what belongs with it and shows that it is whole.
//!
//! It keeps out garbage, halves and what was put under another key; not a person who means harm
//! and may write to Redis.

use super::Entry;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Begins the field at the end. No body has it by itself: none of our objects has such a field.
const BEGIN: &str = ",\"cache_tag\":\"";
const END: &str = "\"}";
/// Also of the layout of the tag: another layout is another number.
const LAYOUT: &str = "1";

/// `entry` as it is kept under `key` in an era.
pub(super) fn seal(key: &str, era: u64, entry: &Entry) -> Vec<u8> {
    let open = entry
        .body
        .strip_suffix(b"}")
        .expect("a body is a JSON object");
    let head = hex(entry.head.as_bytes());
    let sum = sum(key, era, &head, open);
    let tag = format!("{BEGIN}{LAYOUT}.{head}.{sum}{END}");
    [open, tag.as_bytes()].concat()
}

/// The entry that [`seal`] made of it for this key and era; `None` for anything else.
pub(super) fn unseal(key: &str, era: u64, sealed: &[u8]) -> Option<Entry> {
    let rest = sealed.strip_suffix(END.as_bytes())?;
    let begin = rest
        .windows(BEGIN.len())
        .rposition(|window| window == BEGIN.as_bytes())?;
    let (open, tag) = rest.split_at(begin);
    let tag = std::str::from_utf8(&tag[BEGIN.len()..]).ok()?;
    let [LAYOUT, head, sum_kept] = tag.split('.').collect::<Vec<_>>()[..] else {
        return None;
    };
    if sum(key, era, head, open) != sum_kept {
        return None;
    }
    Some(Entry {
        head: String::from_utf8(unhex(head)?).ok()?.into(),
        body: Bytes::from([open, b"}"].concat()),
    })
}

fn sum(key: &str, era: u64, head: &str, open: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(key)
        .chain_update([0])
        .chain_update(era.to_be_bytes())
        .chain_update(head)
        .chain_update([0])
        .chain_update(open)
        .finalize();
    hex(&digest[..16])
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests;

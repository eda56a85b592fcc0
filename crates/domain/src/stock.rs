//! Stock: how many of an item there are, and how many of these are held for orders.
//!
//! A row is only ever moved by amounts, under the guard that nothing goes below zero and no more
//! is held than is there: so nobody can read, decide on what was read, and sell what is gone.

use crate::{ItemId, Line};
use std::collections::BTreeMap;

/// What is kept of an item whose stock is counted. An item without such a row is always to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// How many there are, held ones too.
    pub on_hand: u64,
    /// How many of them are held for orders.
    pub reserved: u64,
}

impl Stock {
    /// How many can still be sold.
    #[must_use]
    pub const fn available(self) -> u64 {
        self.on_hand.saturating_sub(self.reserved)
    }
}

/// A movement of an item's stock. Its guard: afterwards, `0 <= reserved <= on_hand`. Where nothing
/// is known of the item, it starts from nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The item.
    pub item_id: ItemId,
    /// How many come, or go.
    pub on_hand: i64,
    /// How many more are held, or fewer.
    pub reserved: i64,
}

/// How many of each item an order asks for: equal items merged, in the order of their ids, so that
/// two orders meet in the same order at every row. Lines without an item ask for nothing.
#[must_use]
pub fn asked_for(lines: &[Line]) -> BTreeMap<&ItemId, u64> {
    let mut asked = BTreeMap::new();
    for line in lines {
        if let Some(item_id) = &line.item_id {
            *asked.entry(item_id).or_default() += u64::from(line.quantity.get());
        }
    }
    asked
}

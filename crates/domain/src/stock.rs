//! Stock: how many of an item there are, and how many of these are held for orders; and a log of who
//! changed that by hand, and why.
//!
//! A row is only ever moved by amounts, under the guard that nothing goes below zero and no more
//! is held than is there: so nobody can read, decide on what was read, and sell what is gone.

use crate::transfer::{Account, Asset, Subject, TransferKind};
use crate::{Change, ItemId, Line, Record, RecordId, RecordKind, Refusal, Timestamp, Transfer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

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

/// A movement of an item's stock. Its guard: `was`, and afterwards `0 <= reserved <= on_hand`. Where
/// nothing is known of the item, it starts from nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The item.
    pub item_id: ItemId,
    /// How many come, or go.
    pub on_hand: i64,
    /// How many more are held, or fewer.
    pub reserved: i64,
    /// How many must be there before, where that matters.
    pub was: Option<u64>,
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

/// A count of an item, or a change of it, by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Its name, for ever.
    pub id: Uuid,
    /// The item.
    pub item_id: ItemId,
    /// What was there before, where it was counted.
    pub was: Option<Stock>,
    /// The record of its log as it is, where there is one.
    pub log: Option<Record>,
    /// How many came, or went.
    pub by: i64,
    /// Why.
    pub reason: Box<str>,
    /// Who says so.
    pub actor: Box<str>,
    /// The time it is.
    pub now: Timestamp,
}

/// The most adjustments that a log keeps: enough to see how a stock came about lately, and so few
/// that the record stays small.
pub const LOGGED_MAX: usize = 10;

/// The last adjustments of an item, the newest first. Whose stock was changed by hand has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLog {
    /// The adjustments, [`LOGGED_MAX`] at most.
    pub adjustments: Vec<Logged>,
}

/// An adjustment as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// How many came, or went; 0 where a count found what was known.
    pub by: i64,
    /// How many were there then.
    pub on_hand: u64,
    /// Why.
    pub reason: Box<str>,
    /// Who said so.
    pub actor: Box<str>,
    /// When, in ms since 1970.
    pub at_ms: i64,
}

impl StockLog {
    /// The name of an item's log among the records.
    #[must_use]
    pub fn id(item_id: &ItemId) -> RecordId {
        RecordId {
            kind: RecordKind::StockLog,
            id: item_id.as_str().into(),
        }
    }

    /// The log in a record; an empty one where it holds none.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Writes the log of an item where the version `was` stands.
    fn change(&self, item_id: &ItemId, was: u32) -> Change {
        let body = serde_json::to_vec(self).expect("a log has only text and numbers");
        Change::Record {
            id: Self::id(item_id),
            was,
            body: Some(body.into()),
        }
    }
}

/// Decides what is written for an adjustment, and the stock that there is then.
///
/// # Errors
/// [`Refusal::StockHeld`]: fewer would be there than are held for orders.
pub fn adjusted(adjustment: Adjustment) -> Result<(Stock, Vec<Change>), Refusal> {
    let Adjustment {
        id,
        item_id,
        was,
        log,
        by,
        reason,
        actor,
        now,
    } = adjustment;
    let was_there = was.map(|was| was.on_hand);
    let was = was.unwrap_or_default();
    let on_hand = was
        .on_hand
        .checked_add_signed(by)
        .filter(|on_hand| *on_hand >= was.reserved)
        .ok_or(Refusal::StockHeld {
            reserved: was.reserved,
        })?;
    let stock = Stock { on_hand, ..was };
    let version = log.as_ref().map_or(0, |record| record.version);
    let mut log = log.map_or_else(StockLog::default, |record| StockLog::read(&record.body));
    let logged = Logged {
        by,
        on_hand,
        reason: reason.clone(),
        actor,
        at_ms: now.as_millis(),
    };
    log.adjustments.insert(0, logged);
    log.adjustments.truncate(LOGGED_MAX);
    let logged = log.change(&item_id, version);
    let movement = Change::Stock(Movement {
        item_id: item_id.clone(),
        on_hand: by,
        reserved: 0,
        was: was_there,
    });
    let (debit, credit) = if by > 0 {
        (Account::Supply, Account::Stock)
    } else {
        (Account::Stock, Account::Supply)
    };
    let transfer = (by != 0).then(|| {
        Change::Transfer(Transfer {
            subject: Subject::Adjustment(id),
            number: 1,
            kind: TransferKind::Transfer,
            asset: Asset::Item(item_id),
            debit,
            credit,
            amount: by.unsigned_abs(),
            reason: Some(reason),
            occurred_at: now,
        })
    });
    let changes = [movement].into_iter().chain(transfer).chain([logged]);
    Ok((stock, changes.collect()))
}

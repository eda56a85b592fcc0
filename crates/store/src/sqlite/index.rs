//! An index on text that clients choose, kept out of the random B-tree for as long as it is new.
//!
//! The newest entries are in memory. When there are many, they are moved, sorted, into a table: a
//! slice with every commit group, so that no answer waits for a long move. At start only what was
//! not moved is read. Looking something up asks both places.
//!
//! Rows are not committed in the order of their numbers. An entry at or before the end of a move that
//! was begun goes into the table at once, in the transaction of its row.
//!
//! **Invariant:** an entry is published after the COMMIT of its row, never before, and leaves the
//! memory after the COMMIT of its move. So whoever looks at the memory first, then begins to read
//! the file, and looks at the table there, misses nothing.

use super::rows::{failed, get};
use crate::Error;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Start moving when so many entries are in memory: few enough to be read at start in 50 ms.
const MOVE_AT: usize = 65_536;

/// The statements of one index.
#[derive(Debug)]
pub(super) struct Statements {
    name: &'static str,
    insert: &'static str,
    find: &'static str,
}

/// The index of idempotency keys: hash of the scope → row of the record.
pub(super) const KEYS: Statements = Statements {
    name: "key_index",
    insert: "insert or ignore into key_index (hash, record_id) values (?1, ?2)",
    find: "select record_id from key_index where hash = ?1 and record_id < ?2
           order by record_id desc limit ?3",
};

/// The index of customers: hash of the customer's id → row of the order.
pub(super) const CUSTOMERS: Statements = Statements {
    name: "customer_index",
    insert: "insert or ignore into customer_index (hash, order_id) values (?1, ?2)",
    find: "select order_id from customer_index where hash = ?1 and order_id < ?2
           order by order_id desc limit ?3",
};

/// One index.
pub(super) struct Index {
    sql: Statements,
    memory: RwLock<Memory>,
    /// The last row of the last move that was begun.
    closed_to: AtomicI64,
}

impl Index {
    /// An index with nothing in memory yet.
    pub(super) fn new(sql: Statements) -> Self {
        Self {
            sql,
            memory: RwLock::default(),
            closed_to: AtomicI64::new(0),
        }
    }

    /// The last row whose entry is in the table, read at start.
    pub(super) fn moved_to(&self, connection: &Connection) -> Result<i64, Error> {
        let moved_to = connection
            .prepare_cached("select moved_to from index_state where name = ?1")
            .and_then(|mut select| select.query_row([self.sql.name], |row| row.get(0)))
            .map_err(failed)?;
        self.closed_to.fetch_max(moved_to, Ordering::Relaxed);
        Ok(moved_to)
    }

    /// Called in the transaction that writes the row, before its entry is published.
    pub(super) fn enter(&self, connection: &Connection, entry: (i64, i64)) -> Result<(), Error> {
        if entry.1 <= self.closed_to.load(Ordering::Relaxed) {
            let mut insert = connection.prepare_cached(self.sql.insert).map_err(failed)?;
            insert.execute(params![entry.0, entry.1]).map_err(failed)?;
        }
        Ok(())
    }

    /// As [`Self::enter`], for a row whose number says nothing of when it came: its entry is in the
    /// table alone. Rows up to `least` are all of that kind.
    pub(super) fn enter_at_once(
        &self,
        connection: &Connection,
        entry: (i64, i64),
        least: i64,
    ) -> Result<(), Error> {
        self.closed_to.fetch_max(least, Ordering::Relaxed);
        let mut insert = connection.prepare_cached(self.sql.insert).map_err(failed)?;
        insert.execute(params![entry.0, entry.1]).map_err(failed)?;
        connection
            .prepare_cached("update index_state set moved_to = max(moved_to, ?2) where name = ?1")
            .and_then(|mut update| update.execute(params![self.sql.name, least]))
            .map(drop)
            .map_err(failed)
    }

    /// Makes entries visible. Their rows are committed.
    pub(super) fn publish(&self, entries: impl IntoIterator<Item = (i64, i64)>) {
        let mut memory = self.write();
        let mut added = 0;
        for (hash, row) in entries {
            let rows = memory.newest.entry(hash).or_default();
            // Almost always at the end: rows are committed nearly in the order of their numbers.
            if let Err(place) = rows.binary_search(&row) {
                rows.insert(place, row);
                added += 1;
            }
        }
        memory.newest_count += added;
    }

    /// Forgets what is in memory.
    pub(super) fn clear(&self) {
        *self.write() = Memory::default();
        self.closed_to.store(0, Ordering::Relaxed);
    }

    /// Looks for at most `limit` rows before `before` under a hash: in the memory, for now.
    pub(super) fn look(&self, hash: i64, before: i64, limit: usize) -> Found {
        let any_moved = self.closed_to.load(Ordering::Relaxed) > 0;
        let rows = self.find_newest(hash, before, limit);
        Found {
            sql: any_moved.then_some(self.sql.find),
            hash,
            before,
            limit,
            rows,
        }
    }

    fn find_newest(&self, hash: i64, before: i64, limit: usize) -> Vec<i64> {
        let memory = self.read();
        let mut found = Vec::new();
        for rows in [&memory.newest, &memory.moving]
            .into_iter()
            .filter_map(|map| map.get(&hash))
        {
            let end = rows.partition_point(|row| *row < before);
            found.extend(rows[..end].iter().rev().take(limit));
        }
        newest_first(found, limit)
    }

    /// Begins to move what is in memory, where that is enough to be worth it.
    pub(super) fn begin_move(&self) -> Option<Move> {
        if self.read().newest_count < MOVE_AT {
            return None;
        }
        let mut memory = self.write();
        memory.moving = std::mem::take(&mut memory.newest);
        memory.newest_count = 0;
        let mut entries: Vec<(i64, i64)> = memory
            .moving
            .iter()
            .flat_map(|(hash, rows)| rows.iter().map(|row| (*hash, *row)))
            .collect();
        entries.sort_unstable();
        let last = entries.iter().map(|(_, row)| *row).max()?;
        self.closed_to.fetch_max(last, Ordering::Relaxed);
        Some(Move { entries, done: 0 })
    }

    /// Moves at most `count` more entries, within the open transaction.
    pub(super) fn move_some(
        &self,
        connection: &Connection,
        under_way: &mut Move,
        count: usize,
    ) -> Result<(), Error> {
        let mut insert = connection.prepare_cached(self.sql.insert).map_err(failed)?;
        for (hash, row) in under_way.entries.iter().skip(under_way.done).take(count) {
            insert.execute(params![hash, row]).map_err(failed)?;
        }
        under_way.done = (under_way.done + count).min(under_way.entries.len());
        if under_way.is_done() {
            let last = self.closed_to.load(Ordering::Relaxed);
            connection
                .prepare_cached("update index_state set moved_to = ?2 where name = ?1")
                .and_then(|mut update| update.execute(params![self.sql.name, last]))
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Lets go of what was moved. The transaction that ended the move is committed.
    pub(super) fn end_move(&self) {
        let moved = std::mem::take(&mut self.write().moving);
        // Freed when the lock is no longer held.
        drop(moved);
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows under each hash, ascending: those that came since the last move was begun, and those
/// that it moves.
#[derive(Default)]
struct Memory {
    newest: HashMap<i64, Vec<i64>>,
    newest_count: usize,
    moving: HashMap<i64, Vec<i64>>,
}

/// Rows of several places: the newest first, none twice.
fn newest_first(mut rows: Vec<i64>, limit: usize) -> Vec<i64> {
    rows.sort_unstable_by(|a, b| b.cmp(a));
    rows.dedup();
    rows.truncate(limit);
    rows
}

/// What the memory had under a hash, and what to ask the table.
pub(super) struct Found {
    sql: Option<&'static str>,
    hash: i64,
    before: i64,
    limit: usize,
    rows: Vec<i64>,
}

impl Found {
    /// The rows that are in memory, the newest first.
    pub(super) fn newest(&self) -> &[i64] {
        &self.rows
    }

    /// The rows, the newest first, with those of the table: as it is after the look at the memory.
    pub(super) fn with_moved(mut self, connection: &Connection) -> Result<Vec<i64>, Error> {
        let Some(sql) = self.sql else {
            return Ok(self.rows);
        };
        let mut select = connection.prepare_cached(sql).map_err(failed)?;
        let mut moved = select
            .query(params![self.hash, self.before, self.limit])
            .map_err(failed)?;
        while let Some(row) = moved.next().map_err(failed)? {
            self.rows.push(get(row, 0)?);
        }
        // While a move is under way, an entry may be in both places.
        Ok(newest_first(self.rows, self.limit))
    }
}

/// A move under way: the entries, sorted, and how many of them are in the table.
pub(super) struct Move {
    entries: Vec<(i64, i64)>,
    done: usize,
}

impl Move {
    /// Whether all entries are in the table.
    pub(super) fn is_done(&self) -> bool {
        self.done == self.entries.len()
    }

    /// Starts over: the transactions that moved the entries may be gone.
    pub(super) fn restart(&mut self) {
        self.done = 0;
    }
}

#[cfg(test)]
mod tests;

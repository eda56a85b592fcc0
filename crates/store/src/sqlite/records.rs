//! The records that were read lately, in memory: a line of an order asks for its product, and a
//! request for its token, far more often than one is changed. Any change forgets them all.
//!
//! **Invariant:** whoever was told of a change reads it: records are forgotten after the COMMIT and
//! before its answers, and one that was read before that is not kept after it.

use super::rows::{failed, get, text};
use crate::{Error, LETTERS_MAX, LetterQuery, RecordPage, RecordQuery};
use domain::{Record, RecordId, RecordKind};
use rusqlite::{Connection, OptionalExtension, Rows, params};
use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The most records that are kept. Clients choose some of the ids: the next one starts over.
const KEPT_MAX: usize = 16_384;

/// What is in memory of the records.
#[derive(Default)]
pub(super) struct Records(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    /// How often all was forgotten.
    changes: u64,
    records: HashMap<RecordId, Option<Record>>,
    /// The kinds of which there is none: an empty catalogue costs nothing.
    absent: HashSet<RecordKind>,
}

/// Only the file can say.
struct Unknown;

impl Records {
    /// The records with these ids, as far as all of them are in memory.
    pub(super) fn kept(&self, ids: &[RecordId]) -> Option<Vec<Option<Record>>> {
        let kept = self.read();
        let records: Result<_, Unknown> = ids.iter().map(|id| kept.get(id)).collect();
        records.ok()
    }

    /// Forgets everything: some record was changed.
    pub(super) fn forget(&self) {
        let mut kept = self.write();
        let changes = kept.changes + 1;
        *kept = Kept {
            changes,
            ..Kept::default()
        };
    }

    /// Counts changes: to be taken before a read of the file whose result is to be kept.
    pub(super) fn changes(&self) -> u64 {
        self.read().changes
    }

    /// Reads records from the file, and keeps them unless some record was changed meanwhile.
    pub(super) fn load(
        &self,
        connection: &Connection,
        ids: &[RecordId],
        changes: u64,
    ) -> Result<Vec<Option<Record>>, Error> {
        let mut records = Vec::with_capacity(ids.len());
        let mut absent = HashSet::new();
        for id in ids {
            let record = record(connection, id)?;
            if record.is_none() && !any(connection, id.kind)? {
                absent.insert(id.kind);
            }
            records.push(record);
        }
        let mut kept = self.write();
        if kept.changes == changes {
            if kept.records.len() + ids.len() > KEPT_MAX {
                kept.records.clear();
            }
            kept.absent.extend(absent);
            for (id, record) in ids.iter().zip(&records) {
                kept.records.insert(id.clone(), record.clone());
            }
        }
        Ok(records)
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&self, id: &RecordId) -> Result<Option<Record>, Unknown> {
        if self.absent.contains(&id.kind) {
            return Ok(None);
        }
        self.records.get(id).cloned().ok_or(Unknown)
    }
}

fn record(connection: &Connection, id: &RecordId) -> Result<Option<Record>, Error> {
    connection
        .prepare_cached("select version, body from record_rows where kind = ?1 and id = ?2")
        .and_then(|mut select| {
            select
                .query_row(params![id.kind.as_str(), &*id.id], |row| {
                    Ok(Record {
                        version: row.get(0)?,
                        body: row.get::<_, Vec<u8>>(1)?.into(),
                    })
                })
                .optional()
        })
        .map_err(failed)
}

fn any(connection: &Connection, kind: RecordKind) -> Result<bool, Error> {
    connection
        .prepare_cached("select exists (select 1 from record_rows where kind = ?1)")
        .and_then(|mut select| select.query_row([kind.as_str()], |row| row.get(0)))
        .map_err(failed)
}

/// A page of records of one kind, by their ids.
pub(super) fn list(connection: &Connection, query: &RecordQuery) -> Result<RecordPage, Error> {
    let mut select = connection
        .prepare_cached(
            "select id, version, body from record_rows where kind = ?1 and id > ?2
             order by id limit ?3",
        )
        .map_err(failed)?;
    let after = query.after.as_deref().unwrap_or("");
    // One more than asked for says whether there is a next page.
    let rows = select
        .query(params![query.kind.as_str(), after, query.limit + 1])
        .map_err(failed)?;
    page(rows, query.limit)
}

/// A page of the dead letters that wait for an operator, by their ids.
pub(super) fn waiting_letters(
    connection: &Connection,
    query: &LetterQuery,
) -> Result<RecordPage, Error> {
    let mut select = connection
        .prepare_cached(
            "select id, version, body from record_rows indexed by letters_waiting
             where kind = 'letter' and instr(body, '\"state\":\"waiting\"') > 0 and id > ?1
             order by id limit ?2",
        )
        .map_err(failed)?;
    let after = query.after.as_deref().unwrap_or("");
    let rows = select
        .query(params![after, query.limit + 1])
        .map_err(failed)?;
    page(rows, query.limit)
}

/// A page of records: id, version, body.
fn page(mut rows: Rows<'_>, limit: usize) -> Result<RecordPage, Error> {
    let mut items: Vec<(Box<str>, Record)> = Vec::with_capacity(limit.min(1_000));
    while let Some(row) = rows.next().map_err(failed)? {
        if items.len() == limit {
            let next = items.last().map(|(id, _)| id.clone());
            return Ok(RecordPage { items, next });
        }
        let record = Record {
            version: get(row, 1)?,
            body: get::<Vec<u8>>(row, 2)?.into(),
        };
        items.push((text(row, 0)?.into(), record));
    }
    Ok(RecordPage { items, next: None })
}

/// How many dead letters wait for an operator.
pub(super) fn letters_waiting(connection: &Connection) -> Result<u64, Error> {
    connection
        .prepare_cached(
            "select count(*) from (select 1 from record_rows indexed by letters_waiting
               where kind = 'letter' and instr(body, '\"state\":\"waiting\"') > 0 limit ?1)",
        )
        .and_then(|mut select| select.query_row([LETTERS_MAX], |row| row.get(0)))
        .map_err(failed)
}

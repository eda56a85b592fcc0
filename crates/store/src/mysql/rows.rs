//! Rows of this engine, and its errors. No SQL runs in here.

pub(super) use crate::rows::*;
pub(super) use crate::server::failed;

use crate::Error;
use serde::Serialize;
use sqlx::mysql::{MySqlDatabaseError, MySqlRow};
use sqlx::{Decode, MySql, Row, Type};
use std::fmt::Write as _;
use uuid::Uuid;

/// Deadlock found when trying to get lock; lock wait timeout exceeded.
const CONFLICTS: [u16; 2] = [1213, 1205];

impl Columns for MySqlRow {
    const ID: usize = 1;

    fn id(&self, column: usize) -> Result<Uuid, Error> {
        let id = self.bytes(column)?;
        let id = id.and_then(|bytes| Uuid::from_slice(bytes).ok());
        id.ok_or_else(|| corrupt("id"))
    }

    fn whole(&self, column: usize) -> Result<Option<i64>, Error> {
        value(self, column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        value(self, column)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        value(self, column)
    }
}

/// A value, whatever type the engine gave the column: text that is compared is kept as bytes.
fn value<'r, T>(row: &'r MySqlRow, column: usize) -> Result<Option<T>, Error>
where
    T: Decode<'r, MySql> + Type<MySql>,
{
    row.try_get_unchecked(column).map_err(failed)
}

/// Rows as an argument: an array of arrays.
pub(super) fn json<'r, R, T: Serialize>(rows: &'r [R], row: impl Fn(&'r R) -> T) -> String {
    let rows: Vec<T> = rows.iter().map(row).collect();
    serde_json::to_string(&rows).expect("text and numbers are JSON")
}

/// An id within such an argument.
pub(super) fn id(id: Uuid) -> String {
    id.as_simple().to_string()
}

/// Bytes within such an argument.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
    }
    text
}

/// Whether a statement only came at the wrong moment.
pub(super) fn is_conflict(error: &sqlx::Error) -> bool {
    let error = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    error.is_some_and(|error| CONFLICTS.contains(&error.number()))
}

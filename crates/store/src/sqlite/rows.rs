//! Rows of SQLite, and where client text stands in its indexes. No SQL runs in here.

pub(super) use crate::rows::*;

use crate::Error;
use domain::id::{first_half, from_halves, second_half};
use domain::idempotency::Scope;
use domain::{Consumer, CustomerId};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The column behind those of an order.
pub(super) const BEHIND_ORDER: usize = Row::ID + ORDER;

impl Columns for Row<'_> {
    /// The two halves of a UUID.
    const ID: usize = 2;

    fn id(&self, column: usize) -> Result<Uuid, Error> {
        Ok(uuid(get(self, column)?, get(self, column + 1)?))
    }

    fn whole(&self, column: usize) -> Result<Option<i64>, Error> {
        get(self, column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        let value = self.get_ref(column).map_err(failed)?;
        value.as_str_or_null().map_err(|error| wrong(&error))
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        let value = self.get_ref(column).map_err(failed)?;
        value.as_blob_or_null().map_err(|error| wrong(&error))
    }
}

/// The text of a column that has one.
pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, Error> {
    row.text(column)?.ok_or_else(|| corrupt("text"))
}

/// The value of a column.
pub(super) fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    row.get(column).map_err(failed)
}

fn wrong(error: &FromSqlError) -> Error {
    Error::Corrupt(error.to_string())
}

/// An error of the engine, by what the caller does next.
pub(super) fn failed(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            Error::Corrupt(error.to_string())
        }
        _ if matches!(
            error.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase)
        ) =>
        {
            Error::Corrupt(error.to_string())
        }
        _ => Error::Unavailable(error.into()),
    }
}

/// The two columns of a UUIDv7: its row number and `random`.
pub(super) fn halves(id: Uuid) -> (i64, i64) {
    (first_half(id).cast_signed(), second_half(id).cast_signed())
}

/// The UUIDv7 of two such columns.
pub(super) fn uuid(first: i64, second: i64) -> Uuid {
    from_halves(first.cast_unsigned(), second.cast_unsigned())
}

/// Where client text stands in an index: 47 bits of its SHA-256, so that it takes six bytes of a
/// row. Texts may share it: whoever finds a row compares the text itself.
pub(super) fn hash(parts: &[&[u8]]) -> i64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&digest[..6]);
    i64::from_be_bytes(bytes) & ((1 << 47) - 1)
}

/// Where a key stands in the index of keys.
pub(super) fn scope_hash(scope: &Scope) -> i64 {
    let (principal, key) = (scope.principal.as_str(), scope.key.as_str());
    hash(&[
        principal.as_bytes(),
        &[scope.operation.code()],
        key.as_bytes(),
    ])
}

/// Where a customer stands in the index of customers.
pub(super) fn customer_hash(customer_id: &CustomerId) -> i64 {
    hash(&[customer_id.as_str().as_bytes()])
}

/// The number that stands for a consumer.
pub(super) fn consumer_code(consumer: Consumer) -> i64 {
    match consumer {
        Consumer::Fulfil => 1,
        // Far above: the time in its id.
        Consumer::Announce(endpoint_id) => halves(endpoint_id.as_uuid()).0,
    }
}

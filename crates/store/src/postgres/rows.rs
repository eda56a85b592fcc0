//! Rows of PostgreSQL, and its errors. No SQL runs in here.

pub(super) use crate::rows::*;
pub(super) use crate::server::failed;

use crate::Error;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo};
use sqlx::{Encode, Postgres, Row, Type, ValueRef};
use uuid::Uuid;

/// A UUID as an argument.
#[derive(Clone, Copy)]
pub(super) struct Id(pub(super) Uuid);

impl Type<Postgres> for Id {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(2950))
    }
}

impl PgHasArrayType for Id {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(2951))
    }
}

impl Encode<'_, Postgres> for Id {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl Columns for PgRow {
    const ID: usize = 1;

    fn id(&self, column: usize) -> Result<Uuid, Error> {
        let id = raw(self, column)?.and_then(|bytes| Uuid::from_slice(bytes).ok());
        id.ok_or_else(|| corrupt("id"))
    }

    fn whole(&self, column: usize) -> Result<Option<i64>, Error> {
        let Some(bytes) = raw(self, column)? else {
            return Ok(None);
        };
        let whole = match *bytes {
            [byte] => i64::from(byte),
            [a, b] => i64::from(i16::from_be_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
            _ => i64::from_be_bytes(bytes.try_into().map_err(|_| corrupt("number"))?),
        };
        Ok(Some(whole))
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        let text = raw(self, column)?.map(std::str::from_utf8).transpose();
        text.map_err(|_| corrupt("text"))
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        raw(self, column)
    }
}

/// A value as it came over the wire, in PostgreSQL's binary form.
fn raw(row: &PgRow, column: usize) -> Result<Option<&[u8]>, Error> {
    let value = row.try_get_raw(column).map_err(failed)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_bytes().map(Some).map_err(|_| corrupt("value"))
}

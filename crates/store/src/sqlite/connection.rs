//! Connections to the file, and the settings without which the promise does not hold.

use super::rows::failed;
use crate::Error;
use crate::mutant::{Mutant, planted};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// The oldest SQLite whose write-ahead log is sound: before it, two connections that write and
/// checkpoint at once could corrupt the file.
const VERSION_MIN: i32 = 3_051_003;
/// `pragma synchronous` of a connection that waits for the disk at every commit.
const FULL: i64 = 2;

/// A connection that writes. Checks that a commit of it is on the disk when it returns.
pub(super) fn writing(path: &Path) -> Result<Connection, Error> {
    let connection = open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    // The writer looks after the log itself.
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory;
             pragma wal_autocheckpoint = 0; pragma journal_size_limit = 67108864;
             pragma cache_size = -16000",
        )
        .map_err(failed)?;
    check_durable(&connection)?;
    if planted(Mutant::SynchronousNormal) {
        connection
            .execute_batch("pragma synchronous = normal")
            .map_err(failed)?;
    }
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reading(path: &Path) -> Result<Connection, Error> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Without this a statement is compiled anew whenever a value that its plan might depend on is
    // bound: on every read of an order. Ours have one good plan each.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(failed)?;
    Ok(connection)
}

fn check_durable(connection: &Connection) -> Result<(), Error> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(failed)?;
    let synchronous: i64 = pragma("synchronous").map_err(failed)?;
    if mode != "wal" || synchronous != FULL || rusqlite::version_number() < VERSION_MIN {
        return Err(Error::Unavailable(
            format!(
                "SQLite {} runs with journal_mode={mode} and synchronous={synchronous}; orders are \
                 safe with 3.51.3 or later, wal and {FULL} only",
                rusqlite::version()
            )
            .into(),
        ));
    }
    Ok(())
}

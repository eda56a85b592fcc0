//! The schema and its versions: files that are run once each, in order, and never changed.

use super::open::damaged;
use super::rows::failed;
use crate::Error;
use crate::open::OpenError;
use crate::schema::checksum;
use domain::Clock;
use rusqlite::{Connection, params};
use std::path::Path;

/// Every migration, in order; the version of a schema is how many were run.
const MIGRATIONS: [(&str, &str); 6] = [
    (
        "0001_orders",
        include_str!("../migrations/sqlite/0001_orders.sql"),
    ),
    (
        "0002_baskets",
        include_str!("../migrations/sqlite/0002_baskets.sql"),
    ),
    (
        "0003_fulfilment",
        include_str!("../migrations/sqlite/0003_fulfilment.sql"),
    ),
    (
        "0004_ids_of_others",
        include_str!("../migrations/sqlite/0004_ids_of_others.sql"),
    ),
    (
        "0005_watching",
        include_str!("../migrations/sqlite/0005_watching.sql"),
    ),
    (
        "0006_notes",
        include_str!("../migrations/sqlite/0006_notes.sql"),
    ),
];

/// Marks a file as ours: "ordd" (`pragma application_id`).
const APPLICATION_ID: i32 = 0x6f72_6464;

/// Refuses a file of another program, of a newer orderd, or with a migration that is not ours.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let unreadable = |error: Error| damaged(path, &error.to_string());
    let tables: i64 = connection
        .query_row("select count(*) from sqlite_schema", [], |row| row.get(0))
        .map_err(|error| unreadable(failed(error)))?;
    if tables == 0 {
        return Ok(());
    }
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| unreadable(failed(error)))?;
    if application != APPLICATION_ID {
        return Err(damaged(path, "it holds tables that orderd did not make"));
    }
    let version = version(connection).map_err(unreadable)?;
    if version as usize > MIGRATIONS.len() {
        return Err(OpenError::Newer(format!(
            "The schema of {} has version {version}, and this build knows {}.\n\
             Why: a newer orderd has used the file. Nothing is damaged.\n\
             Fix: run that newer orderd, or restore the backup that was made before it.",
            path.display(),
            MIGRATIONS.len()
        )));
    }
    check_history(connection, path)
}

fn check_history(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let recorded = || -> rusqlite::Result<Vec<String>> {
        connection
            .prepare("select checksum from schema_migrations order by version limit 1000")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    let recorded = recorded().map_err(|error| damaged(path, &error.to_string()))?;
    let changed = recorded
        .iter()
        .zip(MIGRATIONS)
        .find(|(was, (_, sql))| **was != checksum(sql));
    match changed {
        Some((_, (name, _))) => Err(damaged(
            path,
            &format!("its migration {name} is not the one of this build"),
        )),
        None => Ok(()),
    }
}

/// Runs what was not run yet, each migration in a transaction of its own.
pub(super) fn migrate(connection: &Connection, clock: &dyn Clock) -> Result<(), Error> {
    let version = version(connection)? as usize;
    for (number, (name, sql)) in (1_u32..).zip(MIGRATIONS).skip(version) {
        let transaction = connection.unchecked_transaction().map_err(failed)?;
        transaction
            .execute_batch(
                "create table if not exists schema_migrations (
                   version integer primary key, name text not null, checksum text not null,
                   applied_at integer not null) strict",
            )
            .and_then(|()| transaction.execute_batch(sql))
            .and_then(|()| {
                transaction.execute(
                    "insert into schema_migrations (version, name, checksum, applied_at)
                     values (?1, ?2, ?3, ?4)",
                    params![number, name, checksum(sql), clock.now().as_millis()],
                )
            })
            .and_then(|_| transaction.pragma_update(None, "user_version", number))
            .and_then(|()| transaction.pragma_update(None, "application_id", APPLICATION_ID))
            .and_then(|()| transaction.commit())
            .map_err(failed)?;
        tracing::info!("Ran the migration {name}");
    }
    Ok(())
}

/// How many migrations were run on a file.
pub(super) fn version(connection: &Connection) -> Result<u32, Error> {
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)
}

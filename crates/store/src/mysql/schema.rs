//! The schema and its versions: files that are run once each, in order, and never changed.

use super::open::refusal;
use super::rows::Columns;
use crate::open::OpenError;
use crate::schema::checksum;
use crate::server::opening::{applied, foreign};
use domain::Clock;
use sqlx::MySqlConnection;

/// Every migration, in order; the version of a schema is how many were run.
const MIGRATIONS: [(&str, &str); 3] = [
    (
        "0001_orders",
        include_str!("../migrations/mysql/0001_orders.sql"),
    ),
    (
        "0002_watching",
        include_str!("../migrations/mysql/0002_watching.sql"),
    ),
    (
        "0003_notes",
        include_str!("../migrations/mysql/0003_notes.sql"),
    ),
];

/// How long a process waits for another that is changing the schema, in seconds.
const LOCK_MAX_S: u32 = 60;

/// Runs what was not run yet, unless the schema is newer than this build or is not ours. There is no
/// transaction around it: one that was cut off is run again. Processes of the version before go on:
/// a migration only adds.
pub(super) async fn migrate(
    to: &mut MySqlConnection,
    location: &str,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    let refuse = |error: sqlx::Error| refusal(location, &error);
    // Of processes that start at once one does it. The lock goes with the connection.
    let locked = sqlx::query("select get_lock(concat('orderd.', database()), ?)")
        .bind(LOCK_MAX_S)
        .fetch_one(&mut *to)
        .await
        .map_err(refuse)?;
    if locked.whole(0).ok().flatten() != Some(1) {
        return Err(OpenError::Inaccessible(format!(
            "Cannot bring the schema of {location} up to date.\n\
             Why: another process has been doing so for {LOCK_MAX_S} s.\n\
             Fix: wait for it, or end it; then start again."
        )));
    }
    let applied = check(to, location).await?;
    for (number, (name, sql)) in (1_i64..).zip(MIGRATIONS).skip(applied) {
        run(to, number, name, sql, clock).await.map_err(refuse)?;
        tracing::info!("Ran the migration {name}");
    }
    let unlock = sqlx::query("select release_lock(concat('orderd.', database()))");
    unlock.fetch_one(to).await.map_err(refuse)?;
    Ok(())
}

async fn run(
    to: &mut MySqlConnection,
    number: i64,
    name: &str,
    sql: &'static str,
    clock: &dyn Clock,
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "create table if not exists schema_migrations (
           version int primary key, name varchar(100) not null, checksum char(64) not null,
           applied_at bigint not null) engine = InnoDB default charset = utf8mb4",
    )
    .execute(&mut *to)
    .await?;
    sqlx::raw_sql(sql).execute(&mut *to).await?;
    sqlx::query(
        "insert into schema_migrations (version, name, checksum, applied_at) values (?, ?, ?, ?)",
    )
    .bind(number)
    .bind(name)
    .bind(checksum(sql))
    .bind(clock.now().as_millis())
    .execute(to)
    .await
    .map(drop)
}

/// How many migrations were run; refuses a schema of a newer orderd or of another program.
pub(super) async fn check(from: &mut MySqlConnection, location: &str) -> Result<usize, OpenError> {
    let refuse = |error: sqlx::Error| refusal(location, &error);
    let tables = sqlx::query(
        "select coalesce(sum(table_name = 'schema_migrations'), 0) > 0,
           coalesce(sum(table_name = 'orders'), 0) > 0
         from information_schema.tables where table_schema = database()",
    )
    .fetch_one(&mut *from)
    .await
    .map_err(refuse)?;
    let there = |column| tables.whole(column).ok().flatten() == Some(1);
    if !there(0) {
        return if there(1) {
            let what = "it holds tables that orderd did not make";
            Err(foreign(location, what))
        } else {
            Ok(0)
        };
    }
    let recorded =
        sqlx::query("select checksum from schema_migrations order by version limit 1000")
            .fetch_all(from)
            .await
            .map_err(|error| foreign(location, &error.to_string()))?;
    let checksum = |row| Columns::text(row, 0).ok().flatten().unwrap_or_default();
    let recorded: Vec<&str> = recorded.iter().map(checksum).collect();
    applied(&recorded, &MIGRATIONS, location)
}

//! The schema and its versions: files that are run once each, in order, and never changed.

use super::open::refusal;
use super::rows::Columns;
use crate::open::OpenError;
use crate::schema::checksum;
use crate::server::opening::{applied, foreign};
use domain::Clock;
use sqlx::{Connection as _, PgConnection, Row as _};

/// Every migration, in order; the version of a schema is how many were run.
const MIGRATIONS: [(&str, &str); 3] = [
    (
        "0001_orders",
        include_str!("../migrations/postgres/0001_orders.sql"),
    ),
    (
        "0002_watching",
        include_str!("../migrations/postgres/0002_watching.sql"),
    ),
    (
        "0003_notes",
        include_str!("../migrations/postgres/0003_notes.sql"),
    ),
];

/// Held while a schema is looked at and changed, so that of processes that start at once one does:
/// "ordd".
const ADVISORY_LOCK: i64 = 0x6f72_6464;

/// Runs what was not run yet, in one transaction, unless the schema is newer than this build or is
/// not ours. Processes of the version before go on: a migration only adds.
pub(super) async fn migrate(
    to: &mut PgConnection,
    location: &str,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    let refuse = |error: sqlx::Error| refusal(location, &error);
    let mut transaction = to.begin().await.map_err(refuse)?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(ADVISORY_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(refuse)?;
    make_schema(&mut transaction).await.map_err(refuse)?;
    let applied = check(&mut transaction, location).await?;
    for (number, (name, sql)) in (1_i64..).zip(MIGRATIONS).skip(applied) {
        run(&mut transaction, number, name, sql, clock)
            .await
            .map_err(refuse)?;
        tracing::info!("Ran the migration {name}");
    }
    transaction.commit().await.map_err(refuse)
}

/// Makes the schema that the URL names by `options=-csearch_path=NAME`, where it is not there yet.
async fn make_schema(to: &mut PgConnection) -> Result<(), sqlx::Error> {
    let made = sqlx::raw_sql(
        "do $$ begin
           if current_schema() is null then
             execute format('create schema %I',
               trim(split_part(current_setting('search_path'), ',', 1), ' \"'));
           end if;
         end $$",
    );
    made.execute(to).await.map(drop)
}

async fn run(
    to: &mut PgConnection,
    number: i64,
    name: &str,
    sql: &'static str,
    clock: &dyn Clock,
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "create table if not exists schema_migrations (
           version integer primary key, name text not null, checksum text not null,
           applied_at bigint not null)",
    )
    .execute(&mut *to)
    .await?;
    sqlx::raw_sql(sql).execute(&mut *to).await?;
    sqlx::query(
        "insert into schema_migrations (version, name, checksum, applied_at)
         values ($1, $2, $3, $4)",
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
pub(super) async fn check(from: &mut PgConnection, location: &str) -> Result<usize, OpenError> {
    let tables = sqlx::query(
        "select to_regclass('schema_migrations') is not null, to_regclass('order_rows') is not null",
    )
    .fetch_one(&mut *from)
    .await
    .map_err(|error| refusal(location, &error))?;
    let there = |column: usize| -> Result<bool, OpenError> {
        let there = tables.try_get(column);
        there.map_err(|error| refusal(location, &error))
    };
    if !there(0)? {
        return if there(1)? {
            Err(foreign(
                location,
                "it holds tables that orderd did not make",
            ))
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

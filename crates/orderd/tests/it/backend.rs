//! Which engine the tests keep orders in: SQLite, or the server that `ORDERD_TEST_DATABASE_URL`
//! names. `cargo xtask test` runs them on each.

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, Row};
use std::ffi::OsString;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The URL of an empty store: a file at `path`, or a schema of its own on the server.
pub(crate) fn fresh(path: &Path) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let Some(server) = server() else {
        return format!("sqlite:{}", path.display());
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{count}", process::id());
    if server.starts_with("postgres") {
        return format!("{server}?options=-csearch_path%3D{name}");
    }
    if server.starts_with("dynamodb") {
        return format!("{server}-{name}");
    }
    format!("{server}/{name}")
}

/// Whether orders are in a file: what a test says of the file itself holds nowhere else, and most
/// bugs are planted only there.
pub(crate) fn is_file() -> bool {
    server().is_none()
}

/// Whether orders are in DynamoDB, where no SQL is spoken.
pub(crate) fn is_dynamodb() -> bool {
    server().is_some_and(|server| server.starts_with("dynamodb"))
}

/// Where the emulator listens.
pub(crate) fn emulator() -> String {
    let url = environment().find(|(name, _)| name == "AWS_ENDPOINT_URL");
    let url = url.unwrap().1.into_string().unwrap();
    url.trim_start_matches("http://").to_owned()
}

/// The server: of `PostgreSQL` with a database, of `MySQL` without; `None` for SQLite.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no other configuration"
)]
fn server() -> Option<String> {
    std::env::var("ORDERD_TEST_DATABASE_URL").ok()
}

/// What a process needs of our environment to reach it.
pub(crate) fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"AWS_"))
}

/// The rows that a statement yields, each column as text.
pub(crate) fn read(url: &str, sql: &str) -> Vec<Vec<String>> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return of_file(path, sql).unwrap();
    }
    on_server(url, sql).unwrap()
}

/// The number that a statement yields.
pub(crate) fn count(url: &str, sql: &str) -> u64 {
    read(url, sql)[0][0].parse().unwrap()
}

fn of_file(path: &str, sql: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>, column| {
        Ok(match row.get_ref(column)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            value => value.as_str_or_null()?.unwrap_or_default().to_owned(),
        })
    };
    statement
        .query_map([], |row| {
            (0..columns).map(|column| text(row, column)).collect()
        })?
        .collect()
}

/// In the simple protocol, where every value is text.
fn on_server(url: &str, sql: &str) -> sqlx::Result<Vec<Vec<String>>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    runtime.block_on(async {
        if url.starts_with("mysql") {
            let mut connection = MySqlConnection::connect(url).await?;
            let rows = connection.fetch_all(statement).await?;
            connection.close().await?;
            return rows.iter().map(texts).collect();
        }
        let mut connection = PgConnection::connect(url).await?;
        let rows = connection.fetch_all(statement).await?;
        connection.close().await?;
        rows.iter().map(texts).collect()
    })
}

fn texts<R: Row>(row: &R) -> sqlx::Result<Vec<String>>
where
    for<'r> Option<String>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    usize: sqlx::ColumnIndex<R>,
{
    let text = |column| row.try_get_unchecked::<Option<String>, _>(column);
    let texts = (0..row.len()).map(|column| Ok(text(column)?.unwrap_or_default()));
    texts.collect()
}

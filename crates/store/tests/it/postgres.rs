//! PostgreSQL: the contract, and what a server that many processes share promises beyond it.

use crate::contract::{Fresh, contract};
use crate::shared::{self, Two, shared};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use std::io::Write as _;
use std::str::FromStr;

contract!(keeps_its_promises, super::fresh);
shared!(is_shared, super::two);

/// The server that the tests share.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no other configuration"
)]
fn server() -> Option<PgConnectOptions> {
    let Ok(url) = std::env::var("ORDERD_TEST_POSTGRES_URL") else {
        assert!(
            std::env::var_os("ORDERD_TEST_ALL").is_none(),
            "all tests were asked for, and there is no PostgreSQL"
        );
        // Past the capture of the test runner.
        let mut stderr = std::io::stderr().lock();
        let skipped = "SKIPPED: a test that needs a PostgreSQL; `cargo xtask test` starts one";
        let _closed = writeln!(stderr, "{skipped}");
        return None;
    };
    Some(PgConnectOptions::from_str(&url).unwrap())
}

/// An empty database of a test's own.
async fn database() -> Option<String> {
    let server = server()?;
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let name: String = test
        .rsplit("::")
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect();
    let mut connection: PgConnection = server.connect().await.unwrap();
    for sql in [
        format!("drop database if exists \"{name}\" with (force)"),
        format!("create database \"{name}\""),
    ] {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        statement.execute(&mut connection).await.unwrap();
    }
    Some(server.database(&name).to_url_lossy().to_string())
}

async fn fresh() -> Option<Fresh> {
    Some(shared::fresh(&database().await?).await)
}

async fn two() -> Option<Two> {
    Some(shared::two(&database().await?).await)
}

#[tokio::test]
async fn a_reader_beside_them_finds_no_tables_where_there_are_none() {
    if let Some(url) = database().await {
        shared::a_reader_finds_no_tables(&url, "holds no orders").await;
    }
}

//! Opening a database: reach it, look whether it keeps what it says is kept, bring its schema up to
//! date. Every refusal says what, why and how to mend it.

use super::rows::{Columns, boxed};
use super::schema;
use crate::open::{Access, OpenError, Options, redacted};
use crate::server::{Server, opening};
use domain::Clock;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{ConnectOptions as _, MySql, MySqlConnection};
use std::str::FromStr;
use std::sync::Arc;

/// The oldest versions that have all that is used: locks that are skipped, and JSON as a table.
const OLDEST: [(&str, [u32; 2]); 2] = [("MariaDB", [10, 6]), ("MySQL", [8, 0])];
/// Unknown database.
const NO_DATABASE: u16 = 1049;

/// Opens the database at `url`.
pub(crate) async fn open(
    url: &str,
    options: &Options,
    clock: &dyn Clock,
) -> Result<Server<MySql>, OpenError> {
    let location = redacted(url);
    let malformed = |why: &str| {
        OpenError::Url(format!(
            "Cannot use the database URL {location:?}.\nWhy: {why}.\n\
             Fix: write mysql://USER:PASSWORD@HOST:3306/DATABASE."
        ))
    };
    let connect =
        MySqlConnectOptions::from_str(url).map_err(|error| malformed(&error.to_string()))?;
    let Some(database) = connect.get_database() else {
        return Err(malformed("it names no database"));
    };
    if options.access == Access::Own {
        make_database(&connect, database, &location).await?;
    }
    let refuse = |error: sqlx::Error| refusal(&location, &error);
    let mut connection = connect.connect().await.map_err(refuse)?;
    settle(&mut connection).await.map_err(refuse)?;
    look(&mut connection, &location).await?;
    if options.access == Access::Own {
        schema::migrate(&mut connection, &location, clock).await?;
    } else if schema::check(&mut connection, &location).await? == 0 {
        return Err(opening::unused(&location));
    }
    let pool = opening::pool()
        .after_connect(|connection, _| Box::pin(settle(connection)))
        .connect_lazy_with(connect);
    Ok(Server::new(pool, location, Arc::clone(&options.cache)))
}

/// Makes the database that the URL names, where it is not there yet.
async fn make_database(
    connect: &MySqlConnectOptions,
    database: &str,
    location: &str,
) -> Result<(), OpenError> {
    let number = |error: &sqlx::Error| {
        let error = error.as_database_error()?;
        Some(error.try_downcast_ref::<MySqlDatabaseError>()?.number())
    };
    match connect.connect().await {
        Err(error) if number(&error) == Some(NO_DATABASE) => {}
        Err(error) => return Err(refusal(location, &error)),
        Ok(_) => return Ok(()),
    }
    let refuse = |error: sqlx::Error| refusal(location, &error);
    let anywhere = connect.clone().database("");
    let mut connection = anywhere.connect().await.map_err(refuse)?;
    sqlx::query(
        "set @made = concat('create database if not exists `', replace(?, '`', '``'),
           '` character set utf8mb4')",
    )
    .bind(database)
    .execute(&mut connection)
    .await
    .map_err(refuse)?;
    let made = sqlx::raw_sql("prepare made from @made; execute made");
    let made = made.execute(&mut connection).await;
    made.map(drop).map_err(refuse)
}

/// What every session is told, whatever the server's defaults are: guards are conditional
/// statements, and what does not fit is refused rather than cut.
async fn settle(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let settled = sqlx::raw_sql(
        "set session transaction isolation level read committed;
         set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';
         set session innodb_lock_wait_timeout = 5",
    );
    settled.execute(connection).await.map(drop)
}

/// Refuses a server that is too old, and warns of one that may lose what it acknowledged.
async fn look(connection: &mut MySqlConnection, location: &str) -> Result<(), OpenError> {
    let row = sqlx::query("select version(), @@innodb_flush_log_at_trx_commit")
        .fetch_one(connection)
        .await
        .map_err(|error| refusal(location, &error))?;
    let version = boxed(&row, 0).ok().flatten().unwrap_or_default();
    let (engine, oldest) = OLDEST[usize::from(!version.contains("MariaDB"))];
    let mut numbers = version.split(['.', '-']).map_while(|it| it.parse().ok());
    let numbers: [u32; 2] = [(); 2].map(|()| numbers.next().unwrap_or_default());
    if numbers < oldest {
        let [major, minor] = oldest;
        return Err(OpenError::Inaccessible(format!(
            "Cannot use the database {location}.\n\
             Why: its server is {engine} {version}, and statements here need {major}.{minor}.\n\
             Fix: bring the server up to date, or name another one."
        )));
    }
    if row.whole(1).ok().flatten() != Some(1) {
        tracing::warn!(
            "The database {location} may lose the last second when its machine stops: \
             innodb_flush_log_at_trx_commit is not 1"
        );
    }
    Ok(())
}

/// The words for a database that cannot be used.
pub(super) fn refusal(location: &str, error: &sqlx::Error) -> OpenError {
    let why = match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    OpenError::Inaccessible(format!(
        "Cannot use the database {location}.\nWhy: {why}.\n\
         Fix: see that the server runs there, and that the user may log in and use, or make, the \
         database and triggers in it."
    ))
}

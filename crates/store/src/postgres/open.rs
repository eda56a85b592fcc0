//! Opening a database: reach it, look whether it keeps what it says is kept, bring its schema up to
//! date. Every refusal says what, why and how to mend it.

use super::schema;
use crate::open::{Access, OpenError, Options, redacted};
use crate::server::{Server, opening};
use domain::Clock;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Postgres, Row as _};
use std::str::FromStr;
use std::sync::Arc;

/// Opens the database at `url`.
pub(crate) async fn open(
    url: &str,
    options: &Options,
    clock: &dyn Clock,
) -> Result<Server<Postgres>, OpenError> {
    let location = redacted(url);
    let connect = PgConnectOptions::from_str(url)
        .map_err(|error| {
            OpenError::Url(format!(
                "Cannot use the database URL {location:?}.\nWhy: {error}.\n\
                 Fix: write postgres://USER:PASSWORD@HOST:5432/DATABASE."
            ))
        })?
        .application_name("orderd")
        // Explicit, whatever the server's defaults are: guards are conditional statements.
        .options([("default_transaction_isolation", "read committed")]);
    // Not by the pool, which says of a server that is away only that it waited.
    let refuse = |error: sqlx::Error| refusal(&location, &error);
    let mut connection = connect.connect().await.map_err(refuse)?;
    for setting in ["synchronous_commit", "fsync"] {
        let row = sqlx::query("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .map_err(refuse)?;
        let value: String = row.try_get(0).map_err(refuse)?;
        if value == "off" {
            return Err(OpenError::Inaccessible(format!(
                "The database {location} loses what it acknowledged.\n\
                 Why: {setting} is off there, and a 201 means that the order is on disk.\n\
                 Fix: set {setting} = on in postgresql.conf, or for this user or database."
            )));
        }
    }
    if options.access == Access::Own {
        schema::migrate(&mut connection, &location, clock).await?;
    } else if schema::check(&mut connection, &location).await? == 0 {
        return Err(opening::unused(&location));
    }
    let pool = opening::pool().connect_lazy_with(connect);
    Ok(Server::new(pool, location, Arc::clone(&options.cache)))
}

/// The words for a database that cannot be used.
pub(super) fn refusal(location: &str, error: &sqlx::Error) -> OpenError {
    let why = match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    OpenError::Inaccessible(format!(
        "Cannot use the database {location}.\nWhy: {why}.\n\
         Fix: see that the server runs there, that the user may log in and that the database exists."
    ))
}

//! Opening a database of a server: its pool, and the words for what it must not be.

use super::Engine;
use crate::open::OpenError;
use crate::schema::checksum;
use sqlx::Connection as _;
use sqlx::pool::PoolOptions;
use std::time::Duration;

/// The most connections of one process.
pub(super) const CONNECTIONS_MAX: u32 = 16;
/// How long anybody waits for a connection before he is told to come again.
const ACQUIRE_MAX: Duration = Duration::from_secs(2);
/// A connection that nobody used for longer is asked whether it is still there.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// How connections are kept.
pub(crate) fn pool<E: Engine>() -> PoolOptions<E> {
    PoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_MAX)
        // Asking each time whether it is still there would cost as much as a read.
        .test_before_acquire(false)
        .before_acquire(|connection: &mut E::Connection, kept| {
            Box::pin(async move { Ok(kept.idle_for < IDLE_MAX || connection.ping().await.is_ok()) })
        })
}

/// How many migrations were run, by the checksums that are recorded of them; refuses a schema of a
/// newer orderd or of another program.
pub(crate) fn applied(
    recorded: &[&str],
    migrations: &[(&str, &str)],
    location: &str,
) -> Result<usize, OpenError> {
    if recorded.len() > migrations.len() {
        return Err(OpenError::Newer(format!(
            "The schema of {location} has version {}, and this build knows {}.\n\
             Why: a newer orderd has used the database. Nothing is damaged.\n\
             Fix: run that newer orderd, or restore the backup that was made before it.",
            recorded.len(),
            migrations.len()
        )));
    }
    for (recorded, (name, sql)) in recorded.iter().zip(migrations) {
        if **recorded != checksum(sql) {
            let what = format!("its migration {name} is not the one of this build");
            return Err(foreign(location, &what));
        }
    }
    Ok(recorded.len())
}

/// The words for a database that is not ours.
pub(crate) fn foreign(location: &str, why: &str) -> OpenError {
    OpenError::Damaged(format!(
        "The database {location} is not one of orderd's, or was changed by hand.\nWhy: {why}.\n\
         Fix: name an empty database, or restore your latest backup; nothing was changed."
    ))
}

/// The words for a database that nobody has served from yet.
pub(crate) fn unused(location: &str) -> OpenError {
    OpenError::Inaccessible(format!(
        "The database {location} holds no orders.\n\
         Why: its tables are made by the first start of the service.\n\
         Fix: run `orderd serve` once, or name the right database."
    ))
}

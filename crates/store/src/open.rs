//! From a URL to a store: the one `match` that chooses a backend.

use crate::cache::Cache;
#[cfg(feature = "aws")]
use crate::dynamodb;
use crate::{Store, mysql, postgres, sqlite};
use domain::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where it is: `sqlite:PATH` (also SQLAlchemy's `sqlite:///PATH`),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE` (also `postgresql+DRIVER://`) or
    /// `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (also `mysql+DRIVER://` and `mariadb://`).
    pub url: String,
    /// How it is used.
    pub access: Access,
    /// Whether orders can be listed by customer at any size; costs a little of every placing.
    pub customer_index: bool,
    /// Told of every change before it is answered.
    pub cache: Arc<Cache>,
}

/// How a store is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As its owner: reads, writes, brings the schema up to date. A SQLite file has one owner at a
    /// time; a database server as many as like.
    Own,
    /// As one of many that use what another process made: reads and writes. A SQLite file has no such
    /// users.
    Join,
    /// Beside its owner: only reads.
    Read,
}

/// Why a store could not be opened: what, why, and the fix, one line each.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no store that this build knows.
    #[error("{0}")]
    Url(String),
    /// The directory or file cannot be used by us.
    #[error("{0}")]
    Inaccessible(String),
    /// Another process owns it.
    #[error("{0}")]
    Owned(String),
    /// Its schema is newer than this build.
    #[error("{0}")]
    Newer(String),
    /// It is damaged, or is no database of ours.
    #[error("{0}")]
    Damaged(String),
}

/// Where a URL points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, by a URL as libpq understands it.
    Postgres(String),
    /// A `MariaDB` or `MySQL` database.
    Mysql(String),
    /// Tables of `DynamoDB`.
    Dynamodb {
        /// What their names begin with.
        prefix: String,
        /// The name of the table of orders, where it is another.
        orders: Option<String>,
    },
}

impl Location {
    /// The file, where it is one. A server is shared: other processes may write there too.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) | Self::Mysql(_) | Self::Dynamodb { .. } => None,
        }
    }
}

/// Reads a database URL.
///
/// # Errors
/// [`OpenError::Url`] where no backend of this build understands it.
pub fn locate(url: &str) -> Result<Location, OpenError> {
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    // SQLAlchemy names the driver as well.
    let engine = scheme.split_once('+').map_or(scheme, |(engine, _)| engine);
    // It counts slashes, too: three and a relative path, four and an absolute one.
    let path = rest.strip_prefix("///").unwrap_or(rest);
    match engine {
        "postgres" | "postgresql" if rest.starts_with("//") => {
            Ok(Location::Postgres(format!("postgres:{rest}")))
        }
        "mysql" | "mariadb" if rest.starts_with("//") => {
            Ok(Location::Mysql(format!("mysql:{rest}")))
        }
        "dynamodb" => tables(rest).ok_or_else(|| {
            OpenError::Url(format!(
                "Cannot use the database URL {url:?}.\n\
                 Why: names of DynamoDB tables are 3 to 255 of A-Z, a-z, 0-9, _, - and dots.\n\
                 Fix: write dynamodb://PREFIX, or dynamodb://PREFIX?orders=TABLE where the table of \
                 orders has another name."
            ))
        }),
        "sqlite" if !path.is_empty() && !path.starts_with(':') && !path.starts_with("//") => {
            Ok(Location::Sqlite(path.into()))
        }
        _ => Err(OpenError::Url(format!(
            "Cannot use the database URL {:?}.\n\
             Why: orders are kept in a SQLite file, in a PostgreSQL, MariaDB or MySQL database, or in \
             DynamoDB.\n\
             Fix: write sqlite:orderd.db (a path), sqlite:////var/lib/orderd/orderd.db, \
             postgres://USER:PASSWORD@HOST:5432/DATABASE, mysql://USER:PASSWORD@HOST:3306/DATABASE or \
             dynamodb://PREFIX.",
            redacted(url)
        ))),
    }
}

/// The tables that a URL names behind its scheme.
fn tables(rest: &str) -> Option<Location> {
    let names = rest.strip_prefix("//")?.trim_end_matches('/');
    let (prefix, query) = match names.split_once('?') {
        Some((prefix, query)) => (prefix, Some(query)),
        None => (names, None),
    };
    let orders = match query {
        Some(query) => Some(query.strip_prefix("orders=")?),
        None => None,
    };
    let is_in = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    let is_name = |name: &str, most| (1..=most).contains(&name.len()) && name.bytes().all(is_in);
    // The longest name of ours has a dash and seven letters.
    let are_names =
        is_name(prefix, 247) && orders.is_none_or(|it| it.len() > 2 && is_name(it, 255));
    are_names.then(|| Location::Dynamodb {
        prefix: prefix.to_owned(),
        orders: orders.map(ToOwned::to_owned),
    })
}

/// A URL without the password that it may hold.
#[must_use]
pub fn redacted(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(end)) if start + 3 <= end => {
            format!("{}://***@{}", &url[..start], &url[end + 1..])
        }
        _ => url.to_owned(),
    }
}

/// Copies the file at a location, as it is at this moment, to `to`; also while another process owns
/// it. The copy is on the disk and was checked.
///
/// # Errors
/// See [`OpenError`]; a database server is backed up by its own tools, which are named.
pub fn backup(location: &Location, to: &Path) -> Result<(), OpenError> {
    match location {
        Location::Sqlite(path) => sqlite::copy(path, to),
        Location::Postgres(url) => Err(by_the_server(
            url,
            "back up",
            &format!(
                "pg_dump --format=custom --file={} --dbname=\"$DATABASE_URL\"",
                to.display()
            ),
        )),
        Location::Mysql(url) => Err(by_the_server(
            url,
            "back up",
            &format!(
                "mariadb-dump --single-transaction --triggers --routines DATABASE > {}",
                to.display()
            ),
        )),
        Location::Dynamodb { prefix, .. } => Err(by_aws(prefix, "back up")),
    }
}

/// Puts a copy that [`backup`] made where nothing is yet.
///
/// # Errors
/// As [`backup`].
pub fn restore(from: &Path, location: &Location) -> Result<(), OpenError> {
    match location {
        Location::Sqlite(path) => sqlite::restore(from, path),
        Location::Postgres(url) => Err(by_the_server(
            url,
            "restore",
            &format!("pg_restore --dbname=\"$DATABASE_URL\" {}", from.display()),
        )),
        Location::Mysql(url) => Err(by_the_server(
            url,
            "restore",
            &format!("mariadb DATABASE < {}", from.display()),
        )),
        Location::Dynamodb { prefix, .. } => Err(by_aws(prefix, "restore")),
    }
}

fn by_the_server(url: &str, what: &str, command: &str) -> OpenError {
    OpenError::Url(format!(
        "Cannot {what} {}.\n\
         Why: a database server is copied by its own tools, which know its files and its replicas.\n\
         Fix: {command}",
        redacted(url)
    ))
}

fn by_aws(prefix: &str, what: &str) -> OpenError {
    OpenError::Url(format!(
        "Cannot {what} dynamodb://{prefix}.\n\
         Why: DynamoDB keeps its own copies, of all tables as they were at one time.\n\
         Fix: turn on point-in-time recovery for the tables whose names begin with {prefix}-, and use \
         `aws dynamodb restore-table-to-point-in-time` with one time for all."
    ))
}

/// Opens the store that `options.url` names. A file blocks; call it before serving.
///
/// # Errors
/// See [`OpenError`]; each says what, why, and how to mend it.
pub async fn open(options: &Options, clock: &dyn Clock) -> Result<Arc<dyn Store>, OpenError> {
    match locate(&options.url)? {
        Location::Sqlite(path) => Ok(Arc::new(sqlite::open(&path, options, clock)?)),
        Location::Postgres(url) => Ok(Arc::new(postgres::open(&url, options, clock).await?)),
        Location::Mysql(url) => Ok(Arc::new(mysql::open(&url, options, clock).await?)),
        #[cfg(feature = "aws")]
        Location::Dynamodb { prefix, orders } => {
            let store = dynamodb::open(&prefix, orders.as_deref(), options);
            Ok(Arc::new(store.await?))
        }
        #[cfg(not(feature = "aws"))]
        Location::Dynamodb { .. } => Err(OpenError::Url(format!(
            "Cannot use the database URL {:?}.\n\
             Why: this orderd was built without the feature `aws`.\n\
             Fix: cargo build --release --features aws, or take a released binary.",
            options.url
        ))),
    }
}

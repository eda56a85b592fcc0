//! From a URL to a store: the one `match` that chooses a backend.

use crate::cache::Cache;
use crate::{Store, sqlite};
use domain::Clock;
use std::path::PathBuf;
use std::sync::Arc;

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where it is: `sqlite:PATH` (also SQLAlchemy's `sqlite:///PATH`).
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
    /// As its owner: reads, writes, brings the schema up to date. SQLite has one owner at a time.
    Own,
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
}

/// Reads a database URL.
///
/// # Errors
/// [`OpenError::Url`] where no backend of this build understands it.
pub fn locate(url: &str) -> Result<Location, OpenError> {
    // SQLAlchemy counts slashes: three and a relative path, four and an absolute one.
    let path = match url.split_once(':') {
        Some(("sqlite", rest)) => rest.strip_prefix("///").unwrap_or(rest),
        _ => "",
    };
    if path.is_empty() || path.starts_with(':') || path.starts_with("//") {
        return Err(OpenError::Url(format!(
            "Cannot use the database URL {:?}.\n\
             Why: this build keeps orders in a SQLite file only.\n\
             Fix: write sqlite:orderd.db (a path), or sqlite:////var/lib/orderd/orderd.db.",
            redacted(url)
        )));
    }
    Ok(Location::Sqlite(path.into()))
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

/// Opens the store that `options.url` names. Blocks; call it before serving.
///
/// # Errors
/// See [`OpenError`]; each says what, why, and how to mend it.
pub fn open(options: &Options, clock: &dyn Clock) -> Result<Arc<dyn Store>, OpenError> {
    match locate(&options.url)? {
        Location::Sqlite(path) => Ok(Arc::new(sqlite::open(&path, options, clock)?)),
    }
}

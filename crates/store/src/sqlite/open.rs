//! Opening the file: own it, look whether it is sound and ours, bring its schema up to date.
//!
//! Every refusal says what, why and how to mend it, and leaves the file as it was.

use super::rows::failed;
use super::{Memory, Sqlite, connection, schema};
use crate::Error;
use crate::open::{Access, OpenError, Options};
use domain::Clock;
use rusqlite::Connection;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Files up to this size are checked page by page before anything is served, in about 20 ms.
const CHECK_WHOLE_MAX_BYTES: u64 = 16 << 20;

/// Opens the file at `path`.
pub(super) fn open(path: &Path, options: &Options, clock: &dyn Clock) -> Result<Sqlite, OpenError> {
    let refuse = |error| refusal(path, error);
    if options.access == Access::Read {
        return open_beside(path, options);
    }
    prepare_directory(path)?;
    let lock = own(path)?;
    create_private(path)?;
    check_header(path)?;
    // Looked at before it is opened for writing: what is not ours stays as it is.
    let reader = connection::reading(path).map_err(refuse)?;
    schema::check(&reader, path)?;
    check_pages(&reader, path)?;
    drop(reader);
    let connection = connection::writing(path).map_err(refuse)?;
    schema::migrate(&connection, clock).map_err(refuse)?;

    let memory = Memory::new(path, options);
    let next_record = memory.indexes.load(&connection, path).map_err(refuse)?;
    Sqlite::new(path, memory, Some(lock))
        .and_then(|store| {
            store
                .start_writer(connection, next_record)
                .map_err(|error| Error::Unavailable(error.into()))
        })
        .map_err(refuse)
}

fn open_beside(path: &Path, options: &Options) -> Result<Sqlite, OpenError> {
    check_header(path)?;
    let refuse = |error| refusal(path, error);
    let connection = connection::reading(path).map_err(refuse)?;
    schema::check(&connection, path)?;
    let memory = Memory::new(path, options);
    memory.indexes.load(&connection, path).map_err(refuse)?;
    Sqlite::new(path, memory, None).map_err(refuse)
}

fn prepare_directory(path: &Path) -> Result<(), OpenError> {
    let directory = directory_of(path);
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .map_err(|error| {
            OpenError::Inaccessible(format!(
                "Cannot make the directory {}.\nWhy: {error}.\n\
             Fix: make it yourself and let this user write there, or name another file.",
                directory.display()
            ))
        })
}

/// Takes the lock file beside the database: one process owns it, and no other.
pub(super) fn own(path: &Path) -> Result<File, OpenError> {
    let lock_path = suffixed(path, ".lock");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(|error| unwritable(path, &error))?;
    if lock.try_lock().is_err() {
        let mut owner = String::new();
        drop(lock.read_to_string(&mut owner));
        return Err(OpenError::Owned(format!(
            "Another orderd owns {}{}.\n\
             Why: on SQLite one process owns the file; a second one would write past it.\n\
             Fix: stop that process, or name another file with --database-url.",
            path.display(),
            if owner.is_empty() {
                String::new()
            } else {
                format!(" (process {})", owner.trim())
            }
        )));
    }
    // For the message above only; the lock is what counts, so a failure here does not matter.
    drop(
        lock.set_len(0)
            .and_then(|()| write!(lock, "{}", std::process::id())),
    );
    Ok(lock)
}

/// Makes the file, readable for its owner alone; SQLite gives its log the same mode.
pub(super) fn create_private(path: &Path) -> Result<(), OpenError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Inaccessible(format!(
        "Cannot write the database file {}.\nWhy: {error}.\n\
         Fix: let this user write the directory {} and the files in it, or name another file.",
        path.display(),
        directory_of(path).display()
    ))
}

/// Looks whether a file is there, and is one of SQLite's or new.
pub(super) fn check_header(path: &Path) -> Result<(), OpenError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    if !path.exists() {
        return Err(OpenError::Inaccessible(format!(
            "There is no database file {}.\n\
             Why: it is made by the first start of the service.\n\
             Fix: run `orderd serve` once, or name the right file.",
            path.display()
        )));
    }
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut header))
        .map_err(|error| unwritable(path, &error))?;
    if header.is_empty() || header == MAGIC {
        return Ok(());
    }
    Err(damaged(path, "it does not begin as a SQLite database does"))
}

/// Looks at every page of a small file. A large one is looked at while it is in use: what is read
/// is checked by the engine, and `orderd verify` looks at all of it.
fn check_pages(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    if size > CHECK_WHOLE_MAX_BYTES {
        return Ok(());
    }
    is_sound(connection, path, "pragma quick_check(1)")
}

/// Runs one of the engine's own checks, which says `ok` or what is wrong first.
pub(super) fn is_sound(
    connection: &Connection,
    path: &Path,
    check: &'static str,
) -> Result<(), OpenError> {
    let found: String = connection
        .query_row(check, [], |row| row.get(0))
        .map_err(|error| refusal(path, failed(error)))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(damaged(path, &found))
    }
}

/// The words for a file that cannot be what it should be.
pub(super) fn damaged(path: &Path, why: &str) -> OpenError {
    OpenError::Damaged(format!(
        "The database file {} is damaged, or is not one of orderd's.\nWhy: {why}.\n\
         Fix: put it aside and restore your latest backup in its place; nothing was changed.",
        path.display()
    ))
}

pub(super) fn refusal(path: &Path, error: Error) -> OpenError {
    match error {
        Error::Corrupt(why) => damaged(path, &why),
        Error::Unavailable(source) | Error::Unknown(source) => OpenError::Inaccessible(format!(
            "Cannot use the database file {}.\nWhy: {source}.\n\
             Fix: see that the disk has room and that this user may write the file and its \
             directory.",
            path.display()
        )),
    }
}

pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The path of a file that goes with the database file.
pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

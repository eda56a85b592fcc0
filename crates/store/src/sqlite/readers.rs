//! The connections that read.

use super::{connection, run};
use crate::Error;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connections that read, as many as were ever needed at once.
///
/// To begin a read is dearer than to read: it takes two locks of the file. So a connection keeps
/// its snapshot until something was committed; under load, many reads share one.
///
/// **Invariant:** whoever was answered reads what he was told of: `commits` goes up after a COMMIT
/// and before its answers, and a snapshot from before that is not read again.
pub(super) struct Readers {
    path: PathBuf,
    /// By thread: a connection's cached pages are warm where it was used last.
    idle: [Mutex<Vec<Reader>>; SHELVES],
    commits: AtomicU64,
    keep: AtomicBool,
}

/// A connection, and how many commits there were when its snapshot began.
struct Reader {
    connection: Connection,
    snapshot: Option<u64>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            idle: Default::default(),
            commits: AtomicU64::new(0),
            keep: AtomicBool::new(true),
        }
    }

    /// Reads on a connection of one's own.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let idle = self.idle().pop();
        let mut reader = idle.map_or_else(|| self.open(), Ok)?;
        let commits = self.commits.load(Ordering::Acquire);
        if reader.snapshot != Some(commits) {
            reader.release()?;
            run(&reader.connection, "begin")?;
            reader.snapshot = Some(commits);
        }
        let result = read(&reader.connection);
        if !self.keep.load(Ordering::Acquire) {
            reader.release()?;
        }
        // One that met an error is not trusted again.
        if result.is_ok() {
            self.idle().push(reader);
        }
        result
    }

    fn open(&self) -> Result<Reader, Error> {
        let connection = connection::reading(&self.path)?;
        Ok(Reader {
            connection,
            snapshot: None,
        })
    }

    /// Something was committed: what was read before is old.
    pub(super) fn outdate(&self) {
        self.commits.fetch_add(1, Ordering::Release);
    }

    /// Whether to keep snapshots from now on. The log cannot be emptied while one is kept.
    pub(super) fn keep(&self, keep: bool) {
        self.keep.store(keep, Ordering::Release);
        if !keep {
            for shelf in &self.idle {
                lock(shelf).retain_mut(|reader| reader.release().is_ok());
            }
        }
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.idle.iter().for_each(|shelf| lock(shelf).clear());
    }

    /// Where this thread leaves its connections.
    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        lock(&self.idle[SHELF.with(|shelf| *shelf)])
    }
}

fn lock(shelf: &Mutex<Vec<Reader>>) -> MutexGuard<'_, Vec<Reader>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many threads have a shelf of their own; beyond, they share.
const SHELVES: usize = 16;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SHELF: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHELVES;
}

impl Reader {
    fn release(&mut self) -> Result<(), Error> {
        match self.snapshot.take() {
            Some(_) => run(&self.connection, "commit"),
            None => Ok(()),
        }
    }
}

//! Orders in one SQLite file, owned by one process.
//!
//! Writing is one thread's ([`writer`]), which commits in groups. Reading is done by whoever asks,
//! on a connection from a small pool. The indexes on client text are in memory where they are new
//! ([`index`]).

mod apply;
mod audit;
mod books;
mod connection;
mod copy;
mod index;
mod moves;
mod open;
mod outbox;
mod read;
mod readers;
mod records;
mod reset;
mod rows;
mod schema;
mod webhooks;
mod writer;

use crate::cache::Cache;
use crate::open::{OpenError, Options};
use crate::{
    Check, Committed, DeliveryQuery, Error, EventQuery, Finding, LIVE_MAX, LeaseClaim, Leased,
    LetterQuery, Live, OrderQuery, Page, RecordPage, RecordQuery, Stats, Store, Which,
};
use apply::Hashes;
use async_trait::async_trait;
pub(crate) use copy::{copy, restore};
use domain::idempotency::{Scope, Seen};
use domain::{
    Clock, Delivery, DeliveryId, Event, EventId, ItemId, Order, OrderId, Record, RecordId, Stock,
    Transfer, WriteSet,
};
use index::{Found, Index};
use readers::Readers;
use records::Records;
use rows::{failed, get, scope_hash};
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};
use writer::Writer;

/// The most orders of a page that is read by whoever asks, rather than handed over.
const INLINE_MAX: usize = 100;

/// What is in memory of the file; a commit brings it up to date before its answers leave.
struct Memory {
    indexes: Indexes,
    readers: Readers,
    records: Records,
    cache: Arc<Cache>,
    /// Counts commits after which a consumer may have something to do.
    signal: watch::Sender<u64>,
    /// Tells whoever listens what was committed.
    live: broadcast::Sender<Live>,
}

impl Memory {
    fn new(path: &Path, options: &Options) -> Self {
        Self {
            indexes: Indexes::new(options.customer_index),
            readers: Readers::new(path),
            records: Records::default(),
            cache: Arc::clone(&options.cache),
            signal: watch::Sender::new(0),
            live: broadcast::Sender::new(LIVE_MAX),
        }
    }
}

/// Opens the file at `path`, made if need be.
///
/// # Errors
/// See [`OpenError`].
pub(crate) fn open(path: &Path, options: &Options, clock: &dyn Clock) -> Result<Sqlite, OpenError> {
    open::open(path, options, clock)
}

/// Orders in one SQLite file.
pub(crate) struct Sqlite {
    path: PathBuf,
    memory: Arc<Memory>,
    /// `None` where the file is only read.
    writer: Option<Writer>,
    /// Ours for as long as this is open.
    _lock: Option<File>,
}

impl Sqlite {
    fn new(path: &Path, memory: Memory, lock: Option<File>) -> Result<Self, Error> {
        memory.readers.with(|_| Ok(()))?;
        Ok(Self {
            path: path.to_owned(),
            memory: Arc::new(memory),
            writer: None,
            _lock: lock,
        })
    }

    fn start_writer(mut self, connection: Connection, next_record: i64) -> std::io::Result<Self> {
        let memory = Arc::clone(&self.memory);
        self.writer = Some(Writer::start(connection, &self.path, memory, next_record)?);
        Ok(self)
    }

    fn writer(&self) -> Result<&Writer, Error> {
        self.writer
            .as_ref()
            .ok_or_else(|| Error::Unavailable("opened for reading only".into()))
    }

    fn find_seen(&self, scope: &Scope, found: Found) -> Result<Option<Seen>, Error> {
        self.memory
            .readers
            .with(|reader| apply::find_seen(reader, found, scope))
    }
}

/// A point read touches a handful of pages, most of them in memory, and is done in microseconds:
/// handing it to another thread would cost more than the read. Whole-table reads are handed over.
#[async_trait]
impl Store for Sqlite {
    async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        let hashes = Hashes::of(&write_set);
        // A replay of a new key needs no turn of the writer. Whether a key is free, and what an old
        // one stands for, is the writer's to say: it has to look anyway.
        if let Some(claim) = &write_set.claim {
            let found = self
                .memory
                .indexes
                .keys
                .look(hashes.key, i64::MAX, read::CANDIDATES_MAX);
            if !found.newest().is_empty()
                && let Some(seen) = self.find_seen(&claim.scope, found)?
                && seen.created_at >= claim.forget_before
            {
                return Ok(Committed::Seen(Box::new(seen)));
            }
        }
        self.writer()?.commit(write_set, hashes).await
    }

    async fn seen(&self, scope: &Scope) -> Result<Option<Seen>, Error> {
        let hash = scope_hash(scope);
        let found = self
            .memory
            .indexes
            .keys
            .look(hash, i64::MAX, read::CANDIDATES_MAX);
        self.find_seen(scope, found)
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        self.memory.readers.with(|reader| read::order(reader, id))
    }

    async fn orders(&self, query: OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        let found = read::look(&self.memory.indexes, &query);
        if query.limit <= INLINE_MAX {
            return self
                .memory
                .readers
                .with(|reader| read::orders(reader, found, &query));
        }
        let memory = Arc::clone(&self.memory);
        blocking(move || {
            memory
                .readers
                .with(|reader| read::orders(reader, found, &query))
        })
        .await
    }

    async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        self.memory
            .readers
            .with(|reader| read::events(reader, order_id))
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        let memory = Arc::clone(&self.memory);
        blocking(move || {
            memory
                .readers
                .with(|reader| read::events_after(reader, query))
        })
        .await
    }

    async fn live(&self) -> Result<broadcast::Receiver<Live>, Error> {
        Ok(self.memory.live.subscribe())
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, DeliveryId>, Error> {
        self.memory
            .readers
            .with(|reader| webhooks::deliveries(reader, &query))
    }

    async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        if let Which::Due(_) | Which::DueToPassOn(_) = claim.which {
            // A look first: with nothing due, there is nothing to write.
            let next_due = self
                .memory
                .readers
                .with(|reader| outbox::next_due(reader, claim.consumer))?;
            if next_due.is_none_or(|due| due > claim.now) {
                let entries = Vec::new();
                return Ok(Leased { entries, next_due });
            }
        }
        self.writer()?.lease(claim).await
    }

    fn signal(&self) -> watch::Receiver<u64> {
        self.memory.signal.subscribe()
    }

    async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        self.memory
            .readers
            .with(|reader| books::transfers(reader, order_id))
    }

    async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        self.memory
            .readers
            .with(|reader| books::stocks(reader, items))
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        if let Some(records) = self.memory.records.kept(ids) {
            return Ok(records);
        }
        let changes = self.memory.records.changes();
        self.memory
            .readers
            .with(|reader| self.memory.records.load(reader, ids, changes))
    }

    async fn list(&self, query: RecordQuery) -> Result<RecordPage, Error> {
        let memory = Arc::clone(&self.memory);
        blocking(move || memory.readers.with(|reader| records::list(reader, &query))).await
    }

    async fn waiting_letters(&self, query: LetterQuery) -> Result<RecordPage, Error> {
        let memory = Arc::clone(&self.memory);
        blocking(move || {
            memory
                .readers
                .with(|reader| records::waiting_letters(reader, &query))
        })
        .await
    }

    async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        let memory = Arc::clone(&self.memory);
        blocking(move || {
            memory
                .readers
                .with(|reader| audit::audit(reader, check, after))
        })
        .await
    }

    async fn stats(&self) -> Result<Stats, Error> {
        self.writer.as_ref().map_or(Ok(()), Writer::check)?;
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        self.memory.readers.with(|reader| {
            Ok(Stats {
                location: self.path.display().to_string(),
                schema_version: schema::version(reader)?,
                newest_event: read::newest_event(reader)?,
                fulfil: outbox::to_fulfil(reader)?,
                announce: outbox::to_announce(reader)?,
                dead_letter_count: records::letters_waiting(reader)?,
                size_bytes: size(self.path.clone()) + size(open::suffixed(&self.path, "-wal")),
            })
        })
    }

    async fn reset(&self) -> Result<u64, Error> {
        self.writer()?.reset().await
    }

    async fn close(&self) -> Result<(), Error> {
        self.memory.readers.close();
        match &self.writer {
            Some(writer) => writer.close().await,
            None => Ok(()),
        }
    }
}

/// Reads for long, on a thread that may be kept.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| Err(Error::Unavailable(error.into())))
}

/// The indexes on text that clients choose.
struct Indexes {
    keys: Index,
    /// `None` where the operator wants no list by customer.
    customers: Option<Index>,
}

impl Indexes {
    fn new(with_customers: bool) -> Self {
        Self {
            keys: Index::new(index::KEYS),
            customers: with_customers.then(|| Index::new(index::CUSTOMERS)),
        }
    }

    fn both(&self) -> [Option<&Index>; 2] {
        [Some(&self.keys), self.customers.as_ref()]
    }

    /// Reads the entries that were not moved into the tables; the number of the next record.
    fn load(&self, connection: &Connection, path: &Path) -> Result<i64, Error> {
        // Side by side: who starts waits for the longer of the two.
        std::thread::scope(|scope| {
            let customers = scope.spawn(|| self.load_customers(&connection::reading(path)?));
            let next_record = self.load_keys(connection)?;
            customers
                .join()
                .map_err(|_| Error::Corrupt("reading customers panicked".to_owned()))??;
            Ok(next_record)
        })
    }

    fn load_keys(&self, connection: &Connection) -> Result<i64, Error> {
        let moved_to = self.keys.moved_to(connection)?;
        let mut last_record = moved_to;
        let mut select = connection
            .prepare_cached(
                "select record_id, coalesce(principal, ''), operation, key from key_rows
                 where record_id > ?1",
            )
            .map_err(failed)?;
        let mut rows = select.query([moved_to]).map_err(failed)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            last_record = get(row, 0)?;
            let operation: u8 = get(row, 2)?;
            let (principal, key) = (rows::text(row, 1)?, rows::text(row, 3)?);
            let hash = rows::hash(&[principal.as_bytes(), &[operation], key.as_bytes()]);
            entries.push((hash, last_record));
        }
        self.keys.publish(entries);
        Ok(last_record + 1)
    }

    fn load_customers(&self, connection: &Connection) -> Result<(), Error> {
        let Some(customers) = &self.customers else {
            return Ok(());
        };
        let mut select = connection
            .prepare_cached(
                "select order_id, customer_id from order_rows
                 where order_id > ?1 and customer_id is not null and random >> 62 = 0",
            )
            .map_err(failed)?;
        let mut rows = select
            .query([customers.moved_to(connection)?])
            .map_err(failed)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            entries.push((rows::hash(&[rows::text(row, 1)?.as_bytes()]), get(row, 0)?));
        }
        customers.publish(entries);
        Ok(())
    }
}

/// Runs a statement that is parsed once and for all.
fn run(connection: &Connection, sql: &'static str) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.execute([]).map(drop).map_err(failed)
}

//! The one thread that writes. It commits whatever is waiting together: the group forms by itself
//! while the last commit waits for the disk, and a write set alone is committed at once.
//!
//! **Invariant:** an answer leaves after the COMMIT that it speaks of has returned.

use super::apply::{Group, Hashes, Outcome};
use super::index::{Index, Move};
use super::rows::{failed, halves};
use super::webhooks;
use super::{Memory, connection, outbox, reset, run};
use crate::mutant::{Mutant, planted};
use crate::write_sets::{Effects, Subscriber};
use crate::{Committed, Error, LeaseClaim, Leased, Live};
use domain::{OrderId, WriteSet};
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// The most write sets of a group: enough that the commit is a small part, few enough that the
/// first of them does not wait for long.
const GROUP_MAX: usize = 512;
/// The most write sets that wait. Beyond, a caller is better off being told so at once.
const WAITING_MAX: usize = 16_384;

/// A log of 16 MiB is copied into the file: less often than by default, 13 % less CPU an order.
const LOG_PAGES_MAX: i64 = 4_000;
/// How many groups may pass between two looks at the length of the log.
const LOOK_AT_LOG_EVERY: u32 = 8;
/// How much time there is at least between two log lines about failures.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What the writer is asked to do.
enum Job {
    Commit(Waiting),
    Lease(Leasing),
    Reset(oneshot::Sender<Result<u64, Error>>),
    Close(oneshot::Sender<Result<(), Error>>),
}

/// The way to the writing thread.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread on a connection that is open, checked and up to date.
    pub(super) fn start(
        connection: Connection,
        path: &Path,
        memory: Arc<Memory>,
        next_record: i64,
    ) -> std::io::Result<Self> {
        let (sender, mut jobs) = mpsc::channel(WAITING_MAX);
        let mut thread = Thread {
            connection: Some(connection),
            path: path.to_owned(),
            memory,
            next_record,
            moves: [None, None],
            groups: 0,
            behind: false,
            subscribers: None,
            reported: None,
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || thread.run(&mut jobs))?;
        Ok(Self {
            jobs: sender,
            thread,
        })
    }

    pub(super) async fn commit(
        &self,
        write_set: Arc<WriteSet>,
        hashes: Hashes,
    ) -> Result<Committed, Error> {
        self.ask(|answer| {
            Job::Commit(Waiting {
                write_set,
                hashes,
                answer,
            })
        })
        .await
    }

    /// Says whether anything can still be written.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the thread is gone: nothing will ever be written again.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.thread.is_finished() {
            return Err(Error::Corrupt("the writer is gone".to_owned()));
        }
        Ok(())
    }

    pub(super) async fn lease(&self, claim: LeaseClaim) -> Result<Leased, Error> {
        self.ask(|answer| Job::Lease(Leasing { claim, answer }))
            .await
    }

    pub(super) async fn reset(&self) -> Result<u64, Error> {
        self.ask(Job::Reset).await
    }

    pub(super) async fn close(&self) -> Result<(), Error> {
        self.ask(Job::Close).await
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Job,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .try_send(job(answer))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Error::Unavailable("too many writes are waiting".into()),
                TrySendError::Closed(_) => Error::Unavailable("the store is closed".into()),
            })?;
        answered
            .await
            .unwrap_or_else(|_| Err(Error::Unknown("the writer is gone".into())))
    }
}

/// A write set that waits for its group to be committed.
pub(super) struct Waiting {
    pub(super) write_set: Arc<WriteSet>,
    /// Made by whoever asks, so that the one thread that writes need not.
    pub(super) hashes: Hashes,
    answer: oneshot::Sender<Result<Committed, Error>>,
}

/// Somebody who waits for wakes; they are leased in the commit of a group.
struct Leasing {
    claim: LeaseClaim,
    answer: oneshot::Sender<Result<Leased, Error>>,
}

struct Thread {
    /// `None` after a failure, until the file could be opened again.
    connection: Option<Connection>,
    path: PathBuf,
    memory: Arc<Memory>,
    next_record: i64,
    /// The moves under way, of keys and of customers.
    moves: [Option<Move>; 2],
    /// How many groups were committed since the log was looked at.
    groups: u32,
    /// Whether the file may hold what the memory lacks.
    behind: bool,
    /// Who is told of events; `None` where that has to be read.
    subscribers: Option<Arc<[Subscriber]>>,
    /// When a failure was last logged.
    reported: Option<Instant>,
}

impl Thread {
    fn run(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let (mut group, mut leases) = (Vec::new(), Vec::new());
            let mut other = None;
            let waiting = std::iter::from_fn(|| jobs.try_recv().ok());
            for job in std::iter::once(first).chain(waiting) {
                match job {
                    Job::Commit(waiting) => group.push(waiting),
                    Job::Lease(leasing) => leases.push(leasing),
                    job => other = Some(job),
                }
                if group.len() == GROUP_MAX || other.is_some() {
                    break;
                }
            }
            if !group.is_empty() || !leases.is_empty() {
                self.commit(group, leases);
            }
            match other {
                Some(Job::Reset(answer)) => {
                    let removed = self.reset();
                    let tell = move || drop(answer.send(removed));
                    self.memory.cache.outdate_all(tell);
                    drop(self.memory.live.send(Live::Gap));
                }
                Some(Job::Close(answer)) => {
                    drop(answer.send(self.close()));
                    return;
                }
                Some(Job::Commit(..) | Job::Lease(..)) | None => {}
            }
        }
    }

    fn commit(&mut self, mut group: Vec<Waiting>, asking: Vec<Leasing>) {
        let claims: Vec<LeaseClaim> = asking.iter().map(|leasing| leasing.claim).collect();
        let leased = self.try_commit(&mut group, &claims);
        let error = match leased {
            Ok(leased) => {
                for (leasing, leased) in asking.into_iter().zip(leased) {
                    drop(leasing.answer.send(Ok(leased)));
                }
                return;
            }
            Err(error) => error,
        };
        // Whether they were leased or not, they are due again in time.
        for leasing in asking {
            let error = Error::Unavailable("the commit failed".into());
            drop(leasing.answer.send(Err(error)));
        }
        self.report(&error, group.len());
        let fates = self.fates(&group);
        self.memory.records.forget();
        drop(self.memory.live.send(Live::Gap));
        self.memory.cache.outdate_all(move || {
            for (waiting, fate) in group.into_iter().zip(fates) {
                drop(waiting.answer.send(fate));
            }
        });
    }

    fn try_commit(
        &mut self,
        group: &mut Vec<Waiting>,
        claims: &[LeaseClaim],
    ) -> Result<Vec<Leased>, Error> {
        let connection = self.connect()?;
        if self.behind {
            self.catch_up(&connection)?;
        }
        let leased = self.write(&connection, group, claims)?;
        // On a failure the connection is dropped, which rolls back what it had not committed; one
        // that met a failed sync must not be used again.
        self.connection = Some(connection);
        Ok(leased)
    }

    fn connect(&mut self) -> Result<Connection, Error> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => connection::writing(&self.path),
        }
    }

    /// Reads what the memory lacks: a COMMIT that failed had been made all the same.
    fn catch_up(&mut self, connection: &Connection) -> Result<(), Error> {
        self.next_record = self.memory.indexes.load(connection, &self.path)?;
        self.memory.readers.outdate();
        self.memory.records.forget();
        self.memory.cache.outdate_all(|| ());
        self.behind = false;
        Ok(())
    }

    /// What to say to each of a group that failed. A COMMIT that failed may have been made, so the
    /// file is opened anew and asked; where it cannot be, nobody knows.
    fn fates(&mut self, group: &[Waiting]) -> Vec<Result<Committed, Error>> {
        for under_way in self.moves.iter_mut().flatten() {
            under_way.restart();
        }
        self.behind = true;
        let found = self.find_placed(group);
        let any_found = found.iter().flatten().any(|found| *found == Some(true));
        if found.is_ok() && !any_found {
            self.behind = false;
        }
        let fate = |found: Option<bool>| match found {
            Some(true) => Ok(Committed::Done),
            Some(false) if !any_found => Err(Error::Unavailable(
                "the commit failed and was rolled back".into(),
            )),
            // In a group that was made, this one was refused or met its key, or it places nothing
            // by which it could be found: the client asks again.
            _ => Err(Error::Unknown("the commit gave no answer".into())),
        };
        match found {
            Ok(found) => found.into_iter().map(fate).collect(),
            Err(_) => group.iter().map(|_| fate(None)).collect(),
        }
    }

    /// For each write set whether the order that it places is there; `None` where it places none.
    fn find_placed(&mut self, group: &[Waiting]) -> Result<Vec<Option<bool>>, Error> {
        let connection = self.connect()?;
        let found = group
            .iter()
            .map(|waiting| {
                waiting
                    .write_set
                    .placed()
                    .map(|order| exists(&connection, order.id))
                    .transpose()
            })
            .collect();
        self.connection = Some(connection);
        found
    }

    /// At most one line a second: a full disk fails many groups.
    fn report(&mut self, error: &Error, writes: usize) {
        let due = self.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY);
        if due {
            self.reported = Some(Instant::now());
            tracing::error!(source = ?error, "A group of {writes} writes failed: {error}");
        }
    }

    fn write(
        &mut self,
        connection: &Connection,
        group: &mut Vec<Waiting>,
        claims: &[LeaseClaim],
    ) -> Result<Vec<Leased>, Error> {
        let memory = Arc::clone(&self.memory);
        let indexes = &memory.indexes;
        let subscribers = match self.subscribers.take() {
            Some(subscribers) => subscribers,
            None => webhooks::subscribers(connection)?,
        };
        self.begin_moves();
        run(connection, "begin immediate")?;
        let mut open = Group::begin(connection, indexes, &subscribers, self.next_record)?;
        let mut outcomes = apply_all(&mut open, group)?;
        if outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Refused { wrote: true, .. }))
        {
            drop(open);
            connection
                .execute_batch("rollback; begin immediate")
                .map_err(failed)?;
            open = Group::begin(connection, indexes, &subscribers, self.next_record)?;
            outcomes = apply_each_alone(connection, &mut open, group)?;
        }
        let written = open.end();
        let leased = claims
            .iter()
            .map(|claim| outbox::lease(connection, claim))
            .collect::<Result<_, _>>()?;
        self.move_entries(connection, group.len())?;
        if planted(Mutant::AnswerBeforeCommit) {
            answer(std::mem::take(group), std::mem::take(&mut outcomes));
            std::thread::sleep(Duration::from_millis(2));
        }
        run(connection, "commit")?;

        self.next_record = written.next_record;
        indexes.keys.publish(written.keys);
        if let Some(customers) = &indexes.customers {
            customers.publish(written.customers);
        }
        memory.readers.outdate();
        if !written.endpoints {
            self.subscribers = Some(Arc::clone(&subscribers));
        }
        let announced = !subscribers.is_empty();
        tell(&memory, std::mem::take(group), outcomes, announced);
        self.end_moves();
        if let Err(error) = self.tend_log(connection) {
            // What was answered is in the log, and stays there until this succeeds.
            tracing::warn!(source = ?error, "Could not copy the log into the file: {error}");
        }
        Ok(leased)
    }

    /// Copies the log into the file when it is long. Until it was begun anew, readers keep no
    /// snapshots: one that is kept would hold it.
    fn tend_log(&mut self, connection: &Connection) -> Result<(), Error> {
        self.groups += 1;
        if self.groups < LOOK_AT_LOG_EVERY {
            return Ok(());
        }
        self.groups = 0;
        let long = log_pages(connection, "pragma wal_checkpoint(noop)")? >= LOG_PAGES_MAX;
        self.memory.readers.keep(!long);
        if long {
            self.groups = LOOK_AT_LOG_EVERY;
            log_pages(connection, "pragma wal_checkpoint(passive)")?;
        }
        Ok(())
    }

    /// Before the group is applied: from here on, the index knows which of its rows come late.
    fn begin_moves(&mut self) {
        for (index, under_way) in self.memory.indexes.both().into_iter().zip(&mut self.moves) {
            if under_way.is_none() {
                *under_way = index.and_then(Index::begin_move);
            }
        }
    }

    /// Moves a few index entries for every write set, so that a move keeps pace and nobody waits.
    fn move_entries(&mut self, connection: &Connection, written: usize) -> Result<(), Error> {
        for (index, under_way) in self.memory.indexes.both().into_iter().zip(&mut self.moves) {
            if let (Some(index), Some(under_way)) = (index, under_way) {
                index.move_some(connection, under_way, 4 * written)?;
            }
        }
        Ok(())
    }

    fn end_moves(&mut self) {
        for (index, under_way) in self.memory.indexes.both().into_iter().zip(&mut self.moves) {
            if under_way.take_if(|under_way| under_way.is_done()).is_some()
                && let Some(index) = index
            {
                index.end_move();
            }
        }
    }

    fn reset(&mut self) -> Result<u64, Error> {
        let connection = self.connect()?;
        let removed = reset::all_orders(&connection)?;
        self.moves = [None, None];
        self.memory.indexes.keys.clear();
        if let Some(customers) = &self.memory.indexes.customers {
            customers.clear();
        }
        self.memory.readers.outdate();
        self.connection = Some(connection);
        Ok(removed)
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        connection
            .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
            .and_then(|()| connection.close().map_err(|(_, error)| error))
            .map_err(failed)
    }
}

/// Applies a group in order, as if no guard could fail; the caller looks whether one did.
fn apply_all<'g>(open: &mut Group<'g>, group: &'g [Waiting]) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::with_capacity(group.len());
    for waiting in group {
        let outcome = open.apply(&waiting.write_set, &waiting.hashes)?;
        let stop = matches!(outcome, Outcome::Refused { wrote: true, .. });
        outcomes.push(outcome);
        if stop {
            break;
        }
    }
    Ok(outcomes)
}

/// Applies a group with a savepoint around each write set: slower, and a guard that fails takes
/// its own write set with it and no other.
fn apply_each_alone<'g>(
    connection: &Connection,
    open: &mut Group<'g>,
    group: &'g [Waiting],
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::with_capacity(group.len());
    for waiting in group {
        connection.execute_batch("savepoint one").map_err(failed)?;
        let outcome = open.apply(&waiting.write_set, &waiting.hashes)?;
        if matches!(outcome, Outcome::Refused { wrote: true, .. }) {
            connection
                .execute_batch("rollback to one")
                .map_err(failed)?;
        }
        connection.execute_batch("release one").map_err(failed)?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Runs a checkpoint; how many pages the log has.
fn log_pages(connection: &Connection, sql: &'static str) -> Result<i64, Error> {
    connection
        .prepare_cached(sql)
        .and_then(|mut checkpoint| checkpoint.query_row([], |row| row.get(1)))
        .map_err(failed)
}

/// Outdates what a committed group changed, answers it, and tells whoever listens. `announced`:
/// an event wakes somebody.
fn tell(memory: &Memory, group: Vec<Waiting>, outcomes: Vec<Outcome>, announced: bool) {
    let done = || {
        let done = |(waiting, outcome): (_, &Outcome)| {
            let waiting: &Waiting = waiting;
            matches!(outcome, Outcome::Done).then_some(&waiting.write_set)
        };
        group.iter().zip(&outcomes).filter_map(done)
    };
    let live =
        (memory.live.receiver_count() > 0).then(|| Live::Group(done().map(Arc::clone).collect()));
    let changes = done().flat_map(|write_set| &write_set.changes);
    let effects = Effects::of(changes, announced);
    if effects.records {
        memory.records.forget();
    }
    let outdates = effects.outdates();
    if outdates {
        let answer = move || answer(group, outcomes);
        memory.cache.outdate(effects.moved, answer);
    } else {
        answer(group, outcomes);
    }
    if effects.wakes {
        memory.signal.send_modify(|commits| *commits += 1);
    }
    if let Some(live) = live {
        // Whoever listened may be gone.
        drop(memory.live.send(live));
    }
}

/// Answers the group, each its own outcome.
fn answer(group: Vec<Waiting>, outcomes: Vec<Outcome>) {
    for (waiting, outcome) in group.into_iter().zip(outcomes) {
        let Waiting {
            write_set, answer, ..
        } = waiting;
        // Let go of before the answer, so that freeing it is left to the thread that made it.
        drop(write_set);
        // Whoever asked may be gone; the record of the key is not.
        drop(answer.send(Ok(committed(outcome))));
    }
}

fn committed(outcome: Outcome) -> Committed {
    match outcome {
        Outcome::Done => Committed::Done,
        Outcome::Seen(seen) => Committed::Seen(seen),
        Outcome::Refused { change, .. } => Committed::Refused(change),
    }
}

fn exists(connection: &Connection, id: OrderId) -> Result<bool, Error> {
    connection
        .query_row(
            "select 1 from order_rows where order_id = ?1",
            [halves(id.as_uuid()).0],
            |_| Ok(()),
        )
        .optional()
        .map(|found| found.is_some())
        .map_err(failed)
}

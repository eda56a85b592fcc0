//! Write sets that wait are committed in groups, by a few tasks that take turns: while one waits for
//! its COMMIT, the next one collects.

use super::apply::{self, Outcome};
use super::group::{self, Grouped};
use super::rows::failed;
use super::{Failure, Inner, read};
use crate::write_sets::{Effects, placed};
use crate::{Committed, Error, Live};
use domain::WriteSet;
use sqlx::{Postgres, Transaction};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// The most write sets of one transaction.
const GROUP_MAX: usize = 256;
/// The most that wait; whoever comes then is told to come again.
const WAITING_MAX: usize = 16_384;
/// How many groups are under way at once.
const WRITERS: usize = 2;
/// How often the engine is asked that refused for being asked at the wrong moment.
const TRIES: usize = 3;

/// A write set that waits, and who waits for what becomes of it.
struct Job {
    write_set: Arc<WriteSet>,
    answer: oneshot::Sender<Result<Committed, Error>>,
}

/// The way to the tasks; they end with it.
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub(super) fn start(inner: &Arc<Inner>) -> Self {
        let (sender, jobs) = mpsc::channel(WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..WRITERS {
            let jobs = Arc::clone(&jobs);
            inner.tasks.spawn(run(Arc::clone(inner), jobs));
        }
        Self(sender)
    }

    pub(super) async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job { write_set, answer };
        self.0.try_send(job).map_err(|_| {
            Error::Unavailable("too many writes are waiting, or the store is closed".into())
        })?;
        answered
            .await
            .unwrap_or_else(|_| Err(Error::Unknown("the writer is gone".into())))
    }
}

async fn run(inner: Arc<Inner>, jobs: Arc<Mutex<mpsc::Receiver<Job>>>) {
    loop {
        let mut group = Vec::new();
        if jobs.lock().await.recv_many(&mut group, GROUP_MAX).await == 0 {
            return;
        }
        commit(&inner, group).await;
    }
}

/// Commits a group, and each of whom a guard failed in a transaction of its own.
async fn commit(inner: &Arc<Inner>, mut group: Vec<Job>) {
    let mut tries = 1;
    while group.len() > 1 {
        let write_sets: Vec<&WriteSet> = group.iter().map(|job| &*job.write_set).collect();
        match inner.try_group(&write_sets).await {
            Ok(Tried::Committed {
                outcomes,
                announced,
            }) => {
                let outcomes = outcomes.into_iter().map(|outcome| Ok(committed(outcome)));
                let answers = group.into_iter().zip(outcomes).collect();
                return inner.answer(answers, announced).await;
            }
            Ok(Tried::Without(alone)) => {
                let (out, rest): (Vec<_>, Vec<_>) = group
                    .into_iter()
                    .enumerate()
                    .partition(|(number, _)| alone.contains(number));
                group = rest.into_iter().map(|(_, job)| job).collect();
                for (_, job) in out {
                    inner.tasks.spawn(commit_alone(Arc::clone(inner), job));
                }
            }
            Ok(Tried::Unanswered(error)) => {
                let mut answers = Vec::new();
                for job in group {
                    let fate = inner.fate(&job.write_set, &error).await;
                    answers.push((job, fate));
                }
                return inner.answer(answers, true).await;
            }
            Err(Failure::Conflict(_)) if tries < TRIES => tries += 1,
            Err(Failure::Conflict(_)) => break,
            Err(Failure::Final(error)) => {
                let why = error.to_string();
                for job in group {
                    let error = Error::Unavailable(why.clone().into());
                    drop(job.answer.send(Err(error)));
                }
                return;
            }
        }
    }
    for job in group {
        inner.tasks.spawn(commit_alone(Arc::clone(inner), job));
    }
}

async fn commit_alone(inner: Arc<Inner>, job: Job) {
    let mut tries = 1;
    let committed = loop {
        match inner.try_alone(&job.write_set).await {
            Ok(committed) => break Ok(committed),
            Err(Failure::Conflict(_)) if tries < TRIES => tries += 1,
            Err(Failure::Conflict(error)) => break Err(failed(error)),
            Err(Failure::Final(error)) => break Err(error),
        }
    };
    inner.answer(vec![(job, committed)], true).await;
}

/// What became of a group.
enum Tried {
    /// It is committed.
    Committed {
        outcomes: Vec<Outcome>,
        announced: bool,
    },
    /// It is rolled back, and may do without these.
    Without(BTreeSet<usize>),
    /// The COMMIT gave no answer.
    Unanswered(sqlx::Error),
}

impl Inner {
    async fn try_group(&self, write_sets: &[&WriteSet]) -> Result<Tried, Failure> {
        let mut transaction = self.pool.begin().await?;
        let (outcomes, announced) = match group::apply(&mut transaction, write_sets).await? {
            Grouped::Done {
                outcomes,
                announced,
            } => (outcomes, announced),
            Grouped::Without(alone) => {
                transaction.rollback().await?;
                return Ok(Tried::Without(alone));
            }
        };
        Ok(match end(transaction).await? {
            None => Tried::Committed {
                outcomes,
                announced,
            },
            Some(error) => Tried::Unanswered(error),
        })
    }

    async fn try_alone(&self, write_set: &Arc<WriteSet>) -> Result<Committed, Failure> {
        let mut transaction = self.pool.begin().await?;
        let outcome = apply::apply(&mut transaction, write_set).await?;
        if !matches!(outcome, Outcome::Done) {
            transaction.rollback().await?;
            return Ok(committed(outcome));
        }
        match end(transaction).await? {
            None => Ok(Committed::Done),
            Some(error) => Ok(self.fate(write_set, &error).await?),
        }
    }

    /// What became of a write set whose COMMIT gave no answer: the order that it places is looked
    /// for.
    async fn fate(&self, write_set: &WriteSet, error: &sqlx::Error) -> Result<Committed, Error> {
        if let Some(order) = placed(write_set)
            && let Ok(Some(_)) = read::order(&self.pool, order.id).await
        {
            return Ok(Committed::Done);
        }
        Err(Error::Unknown(error.to_string().into()))
    }

    /// Outdates what was committed together, answers, and tells whoever listens. `announced`: an
    /// event may wake somebody.
    async fn answer(&self, answers: Vec<(Job, Result<Committed, Error>)>, announced: bool) {
        let done: Vec<Arc<WriteSet>> = answers
            .iter()
            .filter(|(_, answer)| matches!(answer, Ok(Committed::Done)))
            .map(|(job, _)| Arc::clone(&job.write_set))
            .collect();
        let listened = self.live.receiver_count() > 0;
        let wakes = self.outdate(&done, announced).await;
        for (job, answer) in answers {
            // Whoever asked may be gone; the record of the key is not.
            drop(job.answer.send(answer));
        }
        if wakes {
            self.signal.send_modify(|commits| *commits += 1);
        }
        // Who listens only since the answers left asks for what comes after them.
        if listened && !done.is_empty() {
            drop(self.live.send(Live::Group(done.into())));
        }
    }

    /// Outdates what write sets changed; whether a consumer may have something to do.
    async fn outdate(&self, done: &[Arc<WriteSet>], announced: bool) -> bool {
        let changes = done.iter().flat_map(|write_set| &write_set.changes);
        let effects = Effects::of(changes, announced);
        if effects.outdates() {
            let (outdated, waited) = oneshot::channel();
            let outdated = move || outdated.send(()).unwrap_or_default();
            self.cache.outdate(effects.moved, outdated);
            drop(waited.await);
        }
        effects.wakes
    }
}

/// Commits; an error where the COMMIT gave no answer. A server that says why did not make it.
async fn end(transaction: Transaction<'_, Postgres>) -> Result<Option<sqlx::Error>, Failure> {
    match transaction.commit().await {
        Ok(()) => Ok(None),
        Err(error) if error.as_database_error().is_some() => Err(error.into()),
        Err(error) => Ok(Some(error)),
    }
}

fn committed(outcome: Outcome) -> Committed {
    match outcome {
        Outcome::Done => Committed::Done,
        Outcome::Seen(seen) => Committed::Seen(seen),
        Outcome::Refused(change) => Committed::Refused(change),
    }
}

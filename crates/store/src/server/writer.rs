//! Write sets that wait are committed in groups, by two tasks that take turns: while one waits for
//! its COMMIT, the other collects and writes the next group.

use super::group::{self, Grouped, Keys};
use super::opening::CONNECTIONS_MAX;
use super::{Engine, Failure, Inner, is_duplicate};
use crate::mutant::{Mutant, planted};
use crate::{Committed, Error};
use domain::WriteSet;
use sqlx::Transaction;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

/// The most write sets of one transaction.
const GROUP_MAX: usize = 512;
/// The most that wait; whoever comes then is told to come again.
const WAITING_MAX: usize = 16_384;
/// How many groups are under way at once.
const WRITERS: u32 = 2;
/// How often the engine is asked that refused for being asked at the wrong moment.
const TRIES: usize = 3;
/// For how many groups keys are looked at after one was not new.
const WARY_FOR: u32 = 64;

/// A write set that waits, and who waits for what becomes of it.
struct Job {
    write_set: Arc<WriteSet>,
    answer: oneshot::Sender<Result<Committed, Error>>,
}

/// Whoever has it collects the next group.
type Turn = OwnedMutexGuard<mpsc::Receiver<Job>>;

/// The way to the tasks; they end with it.
pub(crate) struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub(crate) fn start<E: Engine>(inner: &Arc<Inner<E>>) -> Self {
        let (sender, jobs) = mpsc::channel(WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let (writers, group_max) = if planted(Mutant::OneByOne) {
            (CONNECTIONS_MAX, 1)
        } else {
            (WRITERS, GROUP_MAX)
        };
        for _ in 0..writers {
            let jobs = Arc::clone(&jobs);
            inner
                .after
                .tasks
                .spawn(run(Arc::clone(inner), jobs, group_max));
        }
        Self(sender)
    }

    /// Refuses what no commit could follow: what is leased while none is taken cannot be given back.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        (self.0.capacity() > 0).then_some(()).ok_or_else(no_room)
    }

    pub(crate) async fn commit(&self, write_set: Arc<WriteSet>) -> Result<Committed, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job { write_set, answer };
        self.0.try_send(job).map_err(|_| no_room())?;
        answered
            .await
            .unwrap_or_else(|_| Err(Error::Unknown("the writer is gone".into())))
    }
}

fn no_room() -> Error {
    Error::Unavailable("too many writes are waiting, or the store is closed".into())
}

async fn run<E: Engine>(
    inner: Arc<Inner<E>>,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    group_max: usize,
) {
    loop {
        let mut group = Vec::new();
        let mut turn = Arc::clone(&jobs).lock_owned().await;
        if turn.recv_many(&mut group, group_max).await == 0 {
            return;
        }
        // The next one would be no larger for waiting.
        let turn = (group.len() < group_max).then_some(turn);
        commit(&inner, group, turn).await;
    }
}

/// Commits a group, and each of whom a guard failed in a transaction of its own. The next group
/// begins when this one waits for its COMMIT: sooner, both would be small.
async fn commit<E: Engine>(inner: &Arc<Inner<E>>, mut group: Vec<Job>, turn: Option<Turn>) {
    let mut tries = 1;
    while !group.is_empty() {
        let write_sets: Vec<&WriteSet> = write_sets(&group).collect();
        let keys = if tries == 1 {
            inner.expected()
        } else {
            Keys::Any
        };
        match inner.apply(&write_sets, keys).await {
            Ok(Applied::All {
                transaction,
                outcomes,
                announced,
            }) => {
                drop(turn);
                return inner.end(transaction, group, outcomes, announced).await;
            }
            // Of a lone one that is the answer.
            Ok(Applied::Without(refused)) if group.len() == 1 => {
                let change = refused.into_values().next().unwrap_or_default();
                let outcome = |job| (job, Ok(Committed::Refused(change)));
                return inner
                    .answer(group.into_iter().map(outcome).collect(), false, false)
                    .await;
            }
            Ok(Applied::Without(refused)) => {
                let (out, rest): (Vec<_>, Vec<_>) = group
                    .into_iter()
                    .enumerate()
                    .partition(|(number, _)| refused.contains_key(number));
                commit_each_alone(inner, out.into_iter().map(|(_, job)| job));
                group = rest.into_iter().map(|(_, job)| job).collect();
            }
            Err(Failure::Statement(error)) if tries < TRIES && is_duplicate(&error) => {
                inner.wary.store(WARY_FOR, Ordering::Relaxed);
                tries += 1;
            }
            Err(Failure::Statement(error)) if tries < TRIES && E::is_conflict(&error) => tries += 1,
            // It may be one's fault, and is not to be everybody's.
            Err(Failure::Statement(_)) if group.len() > 1 => {
                return commit_each_alone(inner, group.into_iter());
            }
            Err(failure) => {
                let why = Error::from(failure).to_string();
                let refused = |job| (job, Err(Error::Unavailable(why.clone().into())));
                return inner
                    .answer(group.into_iter().map(refused).collect(), false, false)
                    .await;
            }
        }
    }
}

fn commit_each_alone<E: Engine>(inner: &Arc<Inner<E>>, jobs: impl Iterator<Item = Job>) {
    for job in jobs {
        inner
            .after
            .tasks
            .spawn(commit_alone(Arc::clone(inner), job));
    }
}

/// Boxed, since it is started by what it runs.
fn commit_alone<E: Engine>(
    inner: Arc<Inner<E>>,
    job: Job,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { commit(&inner, vec![job], None).await })
}

/// What became of a group.
enum Applied<E: Engine> {
    /// All of it is in the transaction; `announced`: an event wakes somebody.
    All {
        transaction: Transaction<'static, E>,
        outcomes: Vec<Committed>,
        announced: bool,
    },
    /// It is rolled back: the guards of these changes failed, the first of each write set.
    Without(BTreeMap<usize, usize>),
}

impl<E: Engine> Inner<E> {
    /// What is expected of the keys of the next group.
    fn expected(&self) -> Keys {
        let relaxed = Ordering::Relaxed;
        let counted = |wary: u32| wary.checked_sub(1);
        match self.wary.fetch_update(relaxed, relaxed, counted) {
            Ok(_) => Keys::Any,
            Err(_) => Keys::New,
        }
    }

    async fn apply(&self, write_sets: &[&WriteSet], keys: Keys) -> Result<Applied<E>, Failure> {
        let mut transaction = self.pool.begin().await?;
        match group::apply::<E>(&mut transaction, write_sets, keys).await? {
            Grouped::All {
                outcomes,
                announced,
            } => Ok(Applied::All {
                transaction,
                outcomes,
                announced,
            }),
            Grouped::Without(refused) => {
                transaction.rollback().await?;
                Ok(Applied::Without(refused))
            }
        }
    }

    /// Commits, and answers. Where that fails it is not known what became of it: even a server that
    /// says why may have said so after it was done. The order that a write set places is looked for.
    async fn end(
        &self,
        transaction: Transaction<'static, E>,
        group: Vec<Job>,
        outcomes: Vec<Committed>,
        announced: bool,
    ) {
        let expected = self.after.expect(write_sets(&group));
        if planted(Mutant::AnswerBeforeCommit) {
            let answers = group.into_iter().zip(outcomes.into_iter().map(Ok));
            self.answer(answers.collect(), announced, expected.listened)
                .await;
            // Nobody waits for it, so it may take its time.
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(transaction.commit().await);
            return;
        }
        let mut answers = Vec::with_capacity(group.len());
        match transaction.commit().await {
            Ok(()) => answers.extend(group.into_iter().zip(outcomes.into_iter().map(Ok))),
            Err(error) => {
                // At once: to be told twice is better than to be missed by a look meanwhile.
                self.after.give_up(&expected);
                for job in group {
                    let fate = self.fate(&job.write_set, &error).await;
                    answers.push((job, fate));
                }
            }
        }
        self.answer(answers, announced, expected.listened).await;
    }

    async fn fate(&self, write_set: &WriteSet, error: &sqlx::Error) -> Result<Committed, Error> {
        if let Some(order) = write_set.placed()
            && let Ok(Some(_)) = E::order(&self.pool, order.id).await
        {
            return Ok(Committed::Done);
        }
        Err(Error::Unknown(error.to_string().into()))
    }

    /// Outdates what was committed together, answers, and tells whoever `listened`. `announced`: an
    /// event may wake somebody.
    async fn answer(
        &self,
        answers: Vec<(Job, Result<Committed, Error>)>,
        announced: bool,
        listened: bool,
    ) {
        let done: Vec<Arc<WriteSet>> = answers
            .iter()
            .filter(|(_, answer)| matches!(answer, Ok(Committed::Done)))
            .map(|(job, _)| Arc::clone(&job.write_set))
            .collect();
        let wakes = self.after.outdate(&done, announced).await;
        for (job, answer) in answers {
            // Whoever asked may be gone; the record of the key is not.
            drop(job.answer.send(answer));
        }
        self.after.tell(done, wakes, listened);
    }
}

fn write_sets(group: &[Job]) -> impl Iterator<Item = &WriteSet> {
    group.iter().map(|job| &*job.write_set)
}

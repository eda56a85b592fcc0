//! Records that are asked for at once are read at once: each placing asks for its products, and
//! each request for its token, far more often than one is changed. They are not kept, since another
//! process may change them.

use super::Engine;
use crate::Error;
use domain::{Record, RecordId};
use sqlx::Pool;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// The most who are answered by one statement.
const GROUP_MAX: usize = 256;
/// The most who wait.
const WAITING_MAX: usize = 16_384;

type Answer = Result<Vec<Option<Record>>, Error>;

/// Somebody who asks for some records.
struct Asked {
    ids: Vec<RecordId>,
    answer: oneshot::Sender<Answer>,
}

/// The way to the task that reads; it ends with it.
pub(crate) struct Lookups(mpsc::Sender<Asked>);

impl Lookups {
    pub(crate) fn start<E: Engine>(pool: Pool<E>, tasks: &TaskTracker) -> Self {
        let (sender, asked) = mpsc::channel(WAITING_MAX);
        tasks.spawn(run(pool, asked));
        Self(sender)
    }

    /// The records with these ids, in the same order.
    pub(crate) async fn records(&self, ids: &[RecordId]) -> Answer {
        let (answer, answered) = oneshot::channel();
        let ids = ids.to_vec();
        let gone = |_| Error::Unavailable("the store is closed".into());
        self.0.send(Asked { ids, answer }).await.map_err(gone)?;
        answered
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable("the store is closed".into())))
    }
}

async fn run<E: Engine>(pool: Pool<E>, mut asked: mpsc::Receiver<Asked>) {
    let mut group = Vec::new();
    while asked.recv_many(&mut group, GROUP_MAX).await > 0 {
        let ids: Vec<RecordId> = group.iter().flat_map(|it| it.ids.iter().cloned()).collect();
        let found = E::records(&pool, &ids).await;
        let mut found = found.map(Vec::into_iter).map_err(|error| error.to_string());
        for Asked { ids, answer } in group.drain(..) {
            let own = match &mut found {
                Ok(found) => Ok(found.take(ids.len()).collect()),
                Err(why) => Err(Error::Unavailable(why.clone().into())),
            };
            // Whoever asked may be gone.
            drop(answer.send(own));
        }
    }
}

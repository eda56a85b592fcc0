//! What other processes commit, found by looking: told to whoever listens, and looked for only while
//! somebody does.
//!
//! Ids are minted before they are committed, so what comes late may have an earlier id than what is
//! known. Each look begins some time before the newest event that is known, and what is known
//! already is left out.

use crate::afterwards::{Afterwards, Journal};
use crate::{Error, EventQuery, Live};
use domain::{Change, Event, EventId, Timestamp, WriteSet};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A look may take so much of the time, so that a busy database is not looked at without a pause.
const PAUSE: u32 = 4;
/// How much later than a younger one an event may be committed, as streams that are resumed assume.
const OVERLAP_MS: i64 = 5_000;
/// How many events are read at once.
const PAGE: usize = 1_000;

/// The events that are not to be told as others', as far back as it is looked; `None` where nobody
/// looks.
#[derive(Default)]
pub(crate) struct Known(Mutex<Option<BTreeSet<EventId>>>);

impl Known {
    /// These are ours, or will be: whoever commits them tells them. Those of them that were not known.
    pub(crate) fn add<'w>(&self, write_sets: impl Iterator<Item = &'w WriteSet>) -> Vec<EventId> {
        match &mut *self.known() {
            Some(known) => events(write_sets).filter(|id| known.insert(*id)).collect(),
            None => Vec::new(),
        }
    }

    /// These are not: nobody knows whether they were committed.
    pub(crate) fn remove(&self, ids: &[EventId]) {
        if let Some(known) = &mut *self.known() {
            for id in ids {
                known.remove(id);
            }
        }
    }

    /// From now on somebody looks.
    fn begin(&self) {
        *self.known() = Some(BTreeSet::new());
    }

    /// Nobody does any more.
    fn end(&self) {
        *self.known() = None;
    }

    /// Those that were not known, and are from now on.
    fn unknown(&self, mut events: Vec<Event>) -> Vec<Event> {
        if let Some(known) = &mut *self.known() {
            events.retain(|event| known.insert(event.id));
        }
        events
    }

    /// Where to look from; what lies before it is let go of.
    fn from(&self, newest: EventId) -> EventId {
        let from = EventId::least_at(newest.minted_at().plus_millis(-OVERLAP_MS));
        if let Some(known) = &mut *self.known() {
            *known = known.split_off(&from);
        }
        from
    }

    fn known(&self) -> MutexGuard<'_, Option<BTreeSet<EventId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn events<'w>(write_sets: impl Iterator<Item = &'w WriteSet>) -> impl Iterator<Item = EventId> {
    let of = |change: &Change| match change {
        Change::Event(event) => Some(event.id),
        _ => None,
    };
    write_sets.flat_map(|it| &it.changes).filter_map(of)
}

impl Afterwards {
    /// What is committed once this has returned, by this process or another.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        journal: &Arc<dyn Journal>,
    ) -> Result<broadcast::Receiver<Live>, Error> {
        let receiver = self.live.subscribe();
        let mut looks = self.looks.lock().await;
        if !*looks {
            // Before anything is read: what is committed meanwhile is ours as well.
            self.known.begin();
            let newest = journal.newest_event().await?;
            let mut newest = newest.unwrap_or_else(|| EventId::least_at(Timestamp::EPOCH));
            // What is there by now is for whoever reads, not for whoever listens.
            self.look(&**journal, &mut newest, &mut Vec::new()).await?;
            let journal = Arc::clone(journal);
            let look = Arc::clone(self).look_at_others(journal, newest);
            self.tasks.spawn(look);
            *looks = true;
        }
        Ok(receiver)
    }

    /// Looks until nobody listens any more.
    async fn look_at_others(self: Arc<Self>, journal: Arc<dyn Journal>, mut newest: EventId) {
        loop {
            let begun = Instant::now();
            let mut found = Vec::new();
            if let Err(error) = self.look(&*journal, &mut newest, &mut found).await {
                // What was not read is found by the next look.
                warn!("Cannot look for what other processes commit: {error}");
            }
            if !found.is_empty() {
                drop(self.live.send(Live::Events(found.into())));
            }
            sleep(LOOK_EVERY.max(PAUSE * begun.elapsed())).await;
            let mut looks = self.looks.lock().await;
            if self.live.receiver_count() == 0 {
                *looks = false;
                return self.known.end();
            }
        }
    }

    /// Adds the events that were not known to `found`. `newest` becomes the newest of all, our own as
    /// well: what lies long before it is not read again.
    async fn look(
        &self,
        journal: &dyn Journal,
        newest: &mut EventId,
        found: &mut Vec<Event>,
    ) -> Result<(), Error> {
        let mut after = Some(self.known.from(*newest));
        while let Some(from) = after {
            let query = EventQuery {
                after: from,
                limit: PAGE,
            };
            let page = journal.events_after(query).await?;
            if let Some(last) = page.items.last() {
                *newest = last.id.max(*newest);
            }
            found.extend(self.known.unknown(page.items));
            after = page.next;
        }
        Ok(())
    }
}

//! What is committed, told to whoever listens: one reader for all of them, and none where nobody
//! listens.

use crate::cloud_event::cloud_event;
use domain::{Change, Event, EventId, EventKind, Order, OrderId, WriteSet};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{Error, Live, Store};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::warn;

/// The most events that a stream may lag behind; then it ends, and is resumed from where it was.
const BEHIND_MAX: usize = 4_096;

/// The most orders that moved that are remembered for whoever asks once a second.
const MOVED_MAX: usize = 200;

/// Tells what is committed.
pub(crate) struct Feed {
    store: Arc<dyn Store>,
    /// `None` where nobody knows what was committed.
    events: broadcast::Sender<Option<Arc<Told>>>,
    /// The reader; it ends with whoever listens.
    tasks: TaskTracker,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    listeners: usize,
    /// Ends the reader once nobody listens, and says whether it reads already.
    reader: Option<(DropGuard, watch::Receiver<Reading>)>,
    /// Who waits for an order to move.
    waiting: HashMap<OrderId, watch::Sender<()>>,
    /// How many want to know which orders moved.
    lookers: usize,
    /// The orders that moved last, while somebody wants to know.
    moved: VecDeque<OrderId>,
    /// How many moved before those, since the start.
    moved_before: u64,
}

impl Open {
    fn move_on(&mut self, id: OrderId) {
        if let Some(waiting) = self.waiting.get(&id) {
            waiting.send_replace(());
        }
        if self.lookers > 0 {
            self.moved.push_back(id);
            if self.moved.len() > MOVED_MAX {
                self.moved.pop_front();
                self.moved_before += 1;
            }
        }
    }

    /// Nobody knows what moved: all of it may have.
    fn lose_track(&mut self) {
        for waiting in self.waiting.values() {
            waiting.send_replace(());
        }
        // Positions of lookers are behind this then.
        self.moved_before += self.moved.len() as u64 + 1;
        self.moved.clear();
    }
}

/// How far a reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Begins,
    Reads,
}

/// An event that others are told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: EventId,
    pub(crate) order_id: OrderId,
    pub(crate) kind: EventKind,
    /// The event as JSON.
    pub(crate) text: String,
}

impl Told {
    /// `order` is that of the event.
    pub(crate) fn of(event: &Event, order: Option<&Order>) -> Self {
        Self {
            id: event.id,
            order_id: event.order_id,
            kind: event.kind,
            text: cloud_event(event, order),
        }
    }

    /// An event that was stored before.
    pub(crate) async fn stored(store: &dyn Store, event: &Event) -> Result<Self, Error> {
        let order = match event.kind {
            EventKind::OrderCreated => store.order(event.order_id).await?,
            _ => None,
        };
        Ok(Self::of(event, order.as_ref()))
    }
}

/// All public events, from a moment on.
pub(crate) struct Events {
    receiver: broadcast::Receiver<Option<Arc<Told>>>,
    _listener: Listener,
}

impl Events {
    /// The next one; `None` where some were missed.
    pub(crate) async fn next(&mut self) -> Option<Arc<Told>> {
        self.receiver.recv().await.ok().flatten()
    }
}

/// The moves of an order, from a moment on.
pub(crate) struct Moves {
    /// `None` once it is let go of.
    receiver: Option<watch::Receiver<()>>,
    id: OrderId,
    listener: Listener,
}

impl Moves {
    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender is kept for as long as somebody waits.
            drop(receiver.changed().await);
        }
    }
}

impl Drop for Moves {
    fn drop(&mut self) {
        self.receiver = None;
        let mut open = self.listener.0.open();
        if let Entry::Occupied(there) = open.waiting.entry(self.id)
            && there.get().receiver_count() == 0
        {
            there.remove();
        }
    }
}

/// Which orders moved, from a moment on.
pub(crate) struct Touched {
    /// How many had moved when it was last asked.
    seen: u64,
    listener: Listener,
}

impl Touched {
    /// The orders that moved since it was last asked, each once; `None` where there were too many
    /// to remember, or some were missed.
    pub(crate) fn take(&mut self) -> Option<BTreeSet<OrderId>> {
        let open = self.listener.0.open();
        let known = self.seen.checked_sub(open.moved_before);
        self.seen = open.moved_before + open.moved.len() as u64;
        let skip = usize::try_from(known?).unwrap_or(usize::MAX);
        Some(open.moved.iter().skip(skip).copied().collect())
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        let mut open = self.listener.0.open();
        open.lookers -= 1;
        if open.lookers == 0 {
            open.moved_before += open.moved.len() as u64;
            open.moved.clear();
        }
    }
}

/// Keeps the reader reading.
struct Listener(Arc<Feed>);

impl Drop for Listener {
    fn drop(&mut self) {
        let mut open = self.0.open();
        open.listeners -= 1;
        if open.listeners == 0 {
            open.reader = None;
        }
    }
}

impl Feed {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            events: broadcast::Sender::new(BEHIND_MAX),
            tasks: TaskTracker::new(),
            open: Mutex::default(),
        }
    }

    /// All public events from now on.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub(crate) async fn events(self: &Arc<Self>) -> Result<Events, Error> {
        let receiver = self.events.subscribe();
        let listener = self.join().await?;
        Ok(Events {
            receiver,
            _listener: listener,
        })
    }

    /// The moves of one order from now on.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub(crate) async fn moves(self: &Arc<Self>, id: OrderId) -> Result<Moves, Error> {
        let listener = self.join().await?;
        let receiver = match self.open().waiting.entry(id) {
            Entry::Occupied(there) => there.get().subscribe(),
            Entry::Vacant(free) => free.insert(watch::Sender::new(())).subscribe(),
        };
        Ok(Moves {
            receiver: Some(receiver),
            id,
            listener,
        })
    }

    /// The orders that move from now on.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub(crate) async fn touched(self: &Arc<Self>) -> Result<Touched, Error> {
        let listener = self.join().await?;
        let mut open = self.open();
        open.lookers += 1;
        let seen = open.moved_before + open.moved.len() as u64;
        drop(open);
        Ok(Touched { seen, listener })
    }

    /// One more listens: what is committed after this returns is told.
    async fn join(self: &Arc<Self>) -> Result<Listener, Error> {
        let mut reading = self.begin();
        let listener = Listener(Arc::clone(self));
        // A reader that could not begin is gone, and so is what it would have said.
        let reads = reading.wait_for(|reading| *reading == Reading::Reads).await;
        match reads {
            Ok(_) => Ok(listener),
            Err(_) => Err(Error::Unavailable("the store cannot be listened to".into())),
        }
    }

    /// Counts one more listener, and starts the reader for the first.
    fn begin(self: &Arc<Self>) -> watch::Receiver<Reading> {
        let mut open = self.open();
        open.listeners += 1;
        if let Some((_, reading)) = &open.reader
            && reading.has_changed().is_ok()
        {
            return reading.clone();
        }
        let (begun, reading) = watch::channel(Reading::Begins);
        let stop = CancellationToken::new();
        let (read, stopped) = (Arc::clone(self).read(begun), stop.clone());
        self.tasks
            .spawn(async move { stopped.run_until_cancelled(read).await });
        open.reader = Some((stop.drop_guard(), reading.clone()));
        reading
    }

    /// Reads for as long as it is not stopped; `begun` lives as long.
    async fn read(self: Arc<Self>, begun: watch::Sender<Reading>) {
        let mut live = match self.store.live().await {
            Ok(live) => live,
            Err(error) => return warn!(source = ?error, "Cannot listen to the store: {error}"),
        };
        begun.send_replace(Reading::Reads);
        loop {
            match live.recv().await {
                Ok(Live::Group(group)) => group.iter().for_each(|write_set| self.tell(write_set)),
                Ok(Live::Events(events)) => self.tell_of_others(&events).await,
                Ok(Live::Gap) | Err(broadcast::error::RecvError::Lagged(_)) => self.gap(),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn tell(&self, write_set: &WriteSet) {
        let mut order: Option<&Order> = None;
        for change in &write_set.changes {
            match change {
                Change::Place(placed, _) => {
                    order = Some(placed);
                    self.open().move_on(placed.id);
                }
                Change::Order { now, .. } => self.open().move_on(now.id),
                Change::Event(event)
                    if event.kind.is_public() && self.events.receiver_count() > 0 =>
                {
                    let told = Told::of(event, order);
                    // Whoever listened may be gone.
                    drop(self.events.send(Some(Arc::new(told))));
                }
                _ => {}
            }
        }
    }

    /// Tells what another process has committed.
    async fn tell_of_others(&self, events: &[Event]) {
        for event in events {
            self.open().move_on(event.order_id);
            if event.kind.is_public() && self.events.receiver_count() > 0 {
                match Told::stored(&*self.store, event).await {
                    Ok(told) => drop(self.events.send(Some(Arc::new(told)))),
                    Err(error) => {
                        warn!(source = ?error, "Cannot tell of an event: {error}");
                        return self.gap();
                    }
                }
            }
        }
    }

    /// Nobody knows what was committed: streams are resumed, and whoever waits looks again.
    fn gap(&self) {
        self.open().lose_track();
        drop(self.events.send(None));
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The load itself: closed-loop connections, each sending its next request once it was answered.

use super::request::{Kind, Route, Template};
use super::scenario::Work;
use super::tally::Tally;
use super::wire::{self, Answer, Wire};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long answers are waited for after the last request was sent.
const GRACE: Duration = Duration::from_secs(30);
/// How long a connection that was refused waits before it tries again.
const RECONNECT: Duration = Duration::from_millis(100);

/// A load, shared by all its connections.
pub(super) struct Load {
    /// `host:port`.
    pub(super) address: String,
    /// Where its requests go.
    pub(super) route: Route,
    /// What they do.
    pub(super) does: Work,
    /// The ids of the prepared orders, where they are read.
    pub(super) ids: Vec<String>,
    /// The number of the next request.
    pub(super) next: AtomicU64,
    /// The number of its first request.
    pub(super) first: u64,
    /// No request has this number or a later one.
    pub(super) end: Option<u64>,
    /// When it began.
    pub(super) begins: Instant,
    /// What is sent before this time is not measured.
    pub(super) measured_from: Instant,
    /// Nothing is sent after this time.
    pub(super) ends: Instant,
}

impl Load {
    /// Runs `streams` in one thread until the load is over.
    ///
    /// # Errors
    /// Where the thread cannot have a runtime.
    pub(super) fn run(
        self: &Arc<Self>,
        streams: Vec<TcpStream>,
        tally: &Arc<Mutex<Tally>>,
    ) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut connections = JoinSet::new();
            for stream in streams {
                let wire = Wire::new(tokio::net::TcpStream::from_std(stream)?);
                connections.spawn(drive(Arc::clone(self), wire, Arc::clone(tally)));
            }
            let all_end = async { while connections.join_next().await.is_some() {} };
            let over = tokio::time::Instant::from_std(self.ends + GRACE);
            if tokio::time::timeout_at(over, all_end).await.is_err() {
                lock(tally).failures += u64::try_from(connections.len()).unwrap_or(u64::MAX);
            }
            Ok(())
        })
    }

    /// How much there is to do: requests, where they are counted, else milliseconds.
    pub(super) fn work(&self) -> u64 {
        self.end
            .map_or_else(|| millis(self.ends - self.begins), |end| end - self.first)
    }

    /// How much of it is done.
    pub(super) fn done(&self) -> u64 {
        match self.end {
            Some(end) => self.next.load(Ordering::Relaxed).min(end) - self.first,
            None => millis(self.begins.elapsed()),
        }
    }

    /// The number of the request to send now, unless the load is over.
    fn take(&self, now: Instant) -> Option<u64> {
        if now >= self.ends {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.end.is_none_or(|end| number < end).then_some(number)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The requests of one connection, of each kind that the load knows.
struct Requests(Vec<(Kind, Template)>);

impl Requests {
    fn new(load: &Load) -> Self {
        let template = |kind: &Kind| (*kind, Template::new(*kind, &load.route));
        Self(load.does.kinds().iter().map(template).collect())
    }

    fn of(&mut self, kind: Kind) -> &mut Template {
        let found = self.0.iter_mut().find(|(known, _)| *known == kind);
        &mut found.expect("a load names all its kinds").1
    }
}

async fn drive(load: Arc<Load>, mut wire: Wire, tally: Arc<Mutex<Tally>>) {
    let mut requests = Requests::new(&load);
    let mut now = Instant::now();
    while let Some(number) = load.take(now) {
        let kind = load.does.kind(number);
        let sent = now;
        let outcome = wire
            .exchange(requests.of(kind).fill(number, &load.ids))
            .await;
        now = Instant::now();

        let latency = (sent >= load.measured_from).then(|| now - sent);
        count(&mut lock(&tally), kind, number, &outcome, latency);
        if outcome.is_err() {
            let Some(stream) = reconnect(&load).await else {
                return;
            };
            wire = Wire::new(stream);
        }
    }
}

fn count(
    tally: &mut Tally,
    kind: Kind,
    number: u64,
    outcome: &std::io::Result<Answer<'_>>,
    latency: Option<Duration>,
) {
    tally.sent += 1;
    let Ok(answer) = outcome else {
        tally.failures += 1;
        return;
    };
    if let Some(latency) = latency {
        tally.answered(answer.status, latency);
    }
    if answer.status < 300 && kind.is_repeatable() {
        tally.sample.offer(number, answer.body);
    }
}

/// A new connection instead of a broken one, or `None` where the load ends first.
async fn reconnect(load: &Load) -> Option<tokio::net::TcpStream> {
    while Instant::now() < load.ends {
        if let Ok(stream) = wire::connect(&load.address).await {
            return Some(stream);
        }
        tokio::time::sleep(RECONNECT).await;
    }
    None
}

/// The counts; they stay right even where a thread died while it held them.
pub(super) fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends kept requests again, one after the other: how many were answered otherwise than before.
///
/// # Errors
/// Where one of them gets no answer.
pub(super) async fn repeat(load: &Load, kept: &[(u64, Box<[u8]>)]) -> std::io::Result<u64> {
    let mut wire = Wire::new(wire::connect(&load.address).await?);
    let mut requests = Requests::new(load);
    let mut different = 0;
    for (number, body) in kept {
        let request = requests
            .of(load.does.kind(*number))
            .fill(*number, &load.ids);
        let answer = wire.exchange(request).await?;
        different += u64::from(answer.status >= 300 || answer.body != &**body);
    }
    Ok(different)
}

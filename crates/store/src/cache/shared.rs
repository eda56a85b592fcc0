//! Stamps and answers in Redis, shared by all processes that use it.
//!
//! Redis is never needed. Where it is away, slow or wrong, this process bypasses it: who meets that
//! first waits for [`PATIENCE`], nobody else waits. One task, the [`Driver`], connects and moves the
//! stamps; requests use the connection that it made.
//!
//! **Invariant:** nothing is read from Redis that a change of ours may not have reached. Whenever a
//! connection is made, a new era begins, in which nothing of before is good; and a change that is
//! committed after the era began moves the stamps, or ends the use of Redis, before it is answered.

use super::{Entry, Stamp, View, seal};
use crate::mutant::{Mutant, planted};
use domain::OrderId;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, RedisResult};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// How long anybody waits for an answer of Redis, once.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a connection may take to come about; nobody waits for it.
const CONNECT: Duration = Duration::from_millis(500);
/// How long to leave Redis alone after it failed.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// The most keys of one command.
const KEYS_MAX: usize = 1_000;
/// Versions beyond are not ours.
const VERSION_MAX: u64 = 1 << 53;

/// How often lists were changed: the older systems read and raise it too.
const VERSION: &str = "orders:list:version";
/// Our own: another number where nothing that is kept is good any more.
const ERA: &str = "orders:cache:era";
/// Keeps an answer unless the stamps moved since they were read.
const PUT: &str = "if (redis.call('GET', KEYS[1]) or '0') == ARGV[1] \
    and redis.call('GET', KEYS[2]) == ARGV[2] \
    then return redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4]) end";

/// What a key holds, if there is one.
type Text = Option<Vec<u8>>;

/// Runs when nobody can read any more what was outdated.
type Answer = Box<dyn FnOnce() + Send>;

/// What this process knows of the shared cache.
pub(super) struct Shared {
    state: RwLock<State>,
    /// The highest version that was seen; a lower one is of a Redis that lost something.
    newest: AtomicU64,
    jobs: mpsc::UnboundedSender<Job>,
    lost: Notify,
}

/// Whether Redis is used. One value: there is no moment at which answers are read from Redis while
/// changes do not move the stamps.
enum State {
    /// Reads go to the store, and changes have nothing to move.
    Away,
    /// Changes move the stamps already, and reads go to the store still.
    Coming,
    /// Answers may be read from Redis.
    Up(Link),
}

/// A connection, as a request uses it.
#[derive(Clone)]
struct Link {
    /// Which one it is: who finds one broken may be late, and another one there.
    number: u64,
    connection: MultiplexedConnection,
}

struct Job {
    orders: Vec<OrderId>,
    all: bool,
    answer: Answer,
}

/// Connects to Redis, moves the stamps, and connects anew when Redis was away.
pub struct Driver {
    client: Client,
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedReceiver<Job>,
    connection: Option<MultiplexedConnection>,
    /// How many connections there were.
    connections: u64,
    /// Whether the last thing that was logged is that Redis is away.
    away: bool,
}

/// Whether Redis answers at `url`. Nothing there is changed.
///
/// # Errors
/// Why it does not, for people.
pub async fn ping(url: &str) -> Result<(), String> {
    let asked = async {
        let mut connection = connect(&client(url)?).await?;
        version(&mut connection).await
    };
    asked
        .await
        .map(|_version| ())
        .map_err(|error| error.to_string())
}

/// The two ends of a shared cache that is not connected yet.
pub(super) fn open(url: &str) -> Result<(Arc<Shared>, Driver), String> {
    let client = client(url).map_err(|error| error.to_string())?;
    let (sender, jobs) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        state: RwLock::new(State::Away),
        newest: AtomicU64::new(0),
        jobs: sender,
        lost: Notify::new(),
    });
    let driver = Driver {
        client,
        shared: Arc::clone(&shared),
        jobs,
        connection: None,
        connections: 0,
        away: false,
    };
    Ok((shared, driver))
}

impl Shared {
    pub(super) fn is_up(&self) -> bool {
        self.link().is_some()
    }

    /// The stamp of everything; `None` where Redis is not to be used.
    pub(super) async fn stamp(&self) -> Option<Stamp> {
        let mut link = self.link()?;
        // Before Redis is asked: what is answered meanwhile may be newer, and nobody waits for it.
        let newest = self.newest.load(Ordering::Acquire);
        let read: RedisResult<(Text, Text)> = redis::cmd("MGET")
            .arg(VERSION)
            .arg(ERA)
            .query_async(&mut link.connection)
            .await;
        let stamp = read.ok().and_then(|(version, era)| {
            Some(Stamp {
                era: number(&era?)?,
                version: version.map_or(Some(0), |version| number(&version))?,
            })
        });
        let stamp = stamp.filter(|stamp| stamp.version >= newest);
        match stamp {
            Some(stamp) => {
                self.newest.fetch_max(stamp.version, Ordering::AcqRel);
            }
            None => self.lose(link.number),
        }
        stamp
    }

    /// What Redis keeps of a view.
    pub(super) async fn get(&self, view: &View, stamp: Stamp) -> Option<Entry> {
        let mut link = self.link()?;
        let name = name(view, stamp.version);
        let sealed: RedisResult<Option<Vec<u8>>> = redis::cmd("GET")
            .arg(&name)
            .query_async(&mut link.connection)
            .await;
        let sealed = sealed.map_err(|error| self.failed(&link, &error)).ok()??;
        seal::unseal(&name, stamp.era, &sealed)
    }

    /// Keeps an answer that was read after `stamp`.
    pub(super) async fn put(&self, view: &View, stamp: Stamp, entry: &Entry, ttl: Duration) {
        let Some(mut link) = self.link() else {
            return;
        };
        let name = name(view, stamp.version);
        let sealed = seal::seal(&name, stamp.era, entry);
        let ttl_s = ttl.as_secs().max(1);
        if planted(Mutant::FillRegardless) {
            sleep(Duration::from_millis(3)).await;
            let set: RedisResult<()> = redis::cmd("SET")
                .arg((name, sealed, "EX", ttl_s))
                .query_async(&mut link.connection)
                .await;
            drop(set);
            return;
        }
        let kept: RedisResult<()> = redis::cmd("EVAL")
            .arg(PUT)
            .arg(3)
            .arg((VERSION, ERA, name))
            .arg((stamp.version, stamp.era, sealed, ttl_s))
            .query_async(&mut link.connection)
            .await;
        if let Err(error) = kept {
            self.failed(&link, &error);
        }
    }

    pub(super) fn outdate(&self, orders: Vec<OrderId>, answer: Answer) {
        self.ask(orders, false, answer);
    }

    pub(super) fn outdate_all(&self, answer: Answer) {
        self.ask(Vec::new(), true, answer);
    }

    fn ask(&self, orders: Vec<OrderId>, all: bool, answer: Answer) {
        if matches!(*self.state(), State::Away) {
            return answer();
        }
        if planted(Mutant::AnswerBeforeOutdating) {
            answer();
            std::thread::sleep(Duration::from_millis(2));
            let answer: Answer = Box::new(|| ());
            drop(self.jobs.send(Job {
                orders,
                all,
                answer,
            }));
            return;
        }
        if let Err(refused) = self.jobs.send(Job {
            orders,
            all,
            answer,
        }) {
            // The driver has ended, and with it the use of Redis.
            self.close();
            (refused.0.answer)();
        }
    }

    /// Begins a new era, and removes from Redis what was kept.
    pub(super) async fn flush(&self) {
        let (answer, done) = oneshot::channel();
        self.outdate_all(Box::new(move || {
            let _sent = answer.send(());
        }));
        drop(done.await);
        let Some(mut link) = self.link() else {
            return;
        };
        for pattern in ["orders:list:[0-9]*", "orders:detail:*", "orders:v1:*"] {
            if let Err(error) = remove(&mut link.connection, pattern).await {
                return self.failed(&link, &error);
            }
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn link(&self) -> Option<Link> {
        match &*self.state() {
            State::Up(link) => Some(link.clone()),
            State::Away | State::Coming => None,
        }
    }

    /// An answer that Redis refused is as good as none; a connection that fails is lost.
    fn failed(&self, link: &Link, error: &RedisError) {
        if is_broken(error) {
            self.lose(link.number);
        }
    }

    /// From here on Redis is bypassed, until the driver has connected anew; where it has already,
    /// another connection than this one is used, and stays.
    fn lose(&self, number: u64) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Up(link) if link.number == number) {
            *state = State::Away;
            self.lost.notify_one();
        }
    }

    fn close(&self) {
        self.set_state(State::Away);
    }
}

impl Driver {
    /// Connects, if that is possible now. A server does it before it serves, so that its first
    /// requests find the cache.
    pub async fn connect(&mut self) -> bool {
        match self.try_connect().await {
            Ok(connection) => {
                if std::mem::take(&mut self.away) {
                    info!("Redis is back: reads use it again");
                }
                self.connection = Some(connection);
                true
            }
            Err(error) => {
                self.shared.close();
                if !std::mem::replace(&mut self.away, true) {
                    warn!("Redis is away, reads go to the store: {error}");
                }
                false
            }
        }
    }

    /// Does its work until it is dropped.
    pub async fn run(mut self) {
        loop {
            if let Some(connection) = self.connection.take() {
                let error = self.serve(connection).await;
                self.shared.close();
                if !std::mem::replace(&mut self.away, true) {
                    warn!("Redis failed, reads go to the store: {error}");
                }
            }
            if !self.connect().await {
                keep_nobody_waiting(&mut self.jobs, sleep(RETRY_EVERY)).await;
            }
        }
    }

    async fn try_connect(&mut self) -> RedisResult<MultiplexedConnection> {
        // Asked before anybody has to wait for it: one that hangs takes connections too.
        let asked = async {
            let mut connection = connect(&self.client).await?;
            let version = version(&mut connection).await?;
            Ok::<_, RedisError>((connection, version))
        };
        let (mut connection, version) = keep_nobody_waiting(&mut self.jobs, asked).await?;
        // The order matters: who commits from here on moves the stamps, and who had committed
        // before has his effect in whatever the new era will be filled with.
        self.shared.set_state(State::Coming);
        let newest = self.shared.newest.load(Ordering::Acquire);
        if version.is_none_or(|version| version < newest) {
            set(&mut connection, VERSION, newest + 1).await?;
        }
        set(&mut connection, ERA, another_era()).await?;
        self.connections += 1;
        self.shared.set_state(State::Up(Link {
            number: self.connections,
            connection: connection.clone(),
        }));
        Ok(connection)
    }

    /// Moves the stamps for all that wait together, until the connection is lost.
    async fn serve(&mut self, mut connection: MultiplexedConnection) -> RedisError {
        loop {
            tokio::select! {
                () = self.shared.lost.notified() => {
                    if !self.shared.is_up() {
                        return broken("it did not answer in time, or lost its keys");
                    }
                }
                job = self.jobs.recv() => {
                    let mut jobs: Vec<Job> = job.into_iter().collect();
                    while let Ok(job) = self.jobs.try_recv() {
                        jobs.push(job);
                    }
                    let moved = self.send(&moves(&jobs), &mut connection).await;
                    if moved.is_err() {
                        self.shared.close();
                    }
                    for job in jobs {
                        (job.answer)();
                    }
                    if let Err(error) = moved {
                        return error;
                    }
                }
            }
        }
    }

    async fn send(&self, moves: &Pipeline, to: &mut MultiplexedConnection) -> RedisResult<()> {
        let newest = self.shared.newest.load(Ordering::Acquire);
        let (version,): (u64,) = moves.query_async(to).await?;
        self.shared.newest.fetch_max(version, Ordering::AcqRel);
        if version <= newest {
            return Err(broken("its version went back"));
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.close();
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            (job.answer)();
        }
    }
}

/// Does `work` while Redis is away, and answers who asked just before it was.
async fn keep_nobody_waiting<T>(
    jobs: &mut mpsc::UnboundedReceiver<Job>,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(job) = jobs.recv() => (job.answer)(),
        }
    }
}

fn client(url: &str) -> RedisResult<Client> {
    // For rediss://. An error says that a provider is there already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::open(url)
}

async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(PATIENCE));
    let connect = client.get_multiplexed_async_connection_with_config(&config);
    timeout(CONNECT, connect)
        .await
        .unwrap_or_else(|_elapsed| Err(broken("it takes no connection")))
}

/// What outdates all that jobs changed, at once.
fn moves(jobs: &[Job]) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.atomic().cmd("INCR").arg(VERSION);
    if jobs.iter().any(|job| job.all) {
        pipe.cmd("SET").arg(ERA).arg(another_era()).ignore();
    }
    let orders: Vec<OrderId> = jobs
        .iter()
        .flat_map(|job| job.orders.iter().copied())
        .collect();
    for orders in orders.chunks(KEYS_MAX) {
        let views = orders
            .iter()
            .flat_map(|id| [View::Detail(*id), View::V1Detail(*id)]);
        let names: Vec<String> = views.map(|view| name(&view, 0)).collect();
        pipe.cmd("DEL").arg(names).ignore();
    }
    pipe
}

/// Where an answer is kept, with the names that the older systems' users know.
fn name(view: &View, version: u64) -> String {
    match view {
        View::List => format!("orders:list:{version}"),
        View::Detail(id) => format!("orders:detail:{id}"),
        View::V1Detail(id) => format!("orders:v1:detail:{id}"),
        View::V1List(query) => format!("orders:v1:list:{version}:{query}"),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|number| *number <= VERSION_MAX)
}

/// A number that no era had before.
fn another_era() -> u64 {
    if planted(Mutant::OneEra) {
        return 1;
    }
    RandomState::new().hash_one(std::process::id()) % VERSION_MAX
}

fn broken(what: &'static str) -> RedisError {
    std::io::Error::other(what).into()
}

/// The version that Redis has; `None` where what it has is none.
async fn version(connection: &mut MultiplexedConnection) -> RedisResult<Option<u64>> {
    let text: RedisResult<Option<Vec<u8>>> =
        redis::cmd("GET").arg(VERSION).query_async(connection).await;
    match text {
        Ok(text) => Ok(text.map_or(Some(0), |text| number(&text))),
        Err(error) if is_broken(&error) => Err(error),
        // A key of another type.
        Err(_) => Ok(None),
    }
}

/// Whether it is the connection that failed, rather than Redis that refused.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.is_connection_dropped()
}

async fn set(connection: &mut MultiplexedConnection, key: &str, value: u64) -> RedisResult<()> {
    redis::cmd("SET")
        .arg((key, value))
        .query_async(connection)
        .await
}

async fn remove(connection: &mut MultiplexedConnection, pattern: &str) -> RedisResult<()> {
    let mut cursor: u64 = 0;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg(("MATCH", pattern, "COUNT", KEYS_MAX))
            .query_async(connection)
            .await?;
        if !keys.is_empty() {
            let _removed: u64 = redis::cmd("UNLINK")
                .arg(keys)
                .query_async(connection)
                .await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
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
    /// There while answers may be read from Redis.
    connection: RwLock<Option<MultiplexedConnection>>,
    /// Whether changes have to move the stamps. Set before the connection is, until after it is not.
    moving: AtomicBool,
    /// The highest version that was seen; a lower one is of a Redis that lost something.
    newest: AtomicU64,
    jobs: mpsc::UnboundedSender<Job>,
    lost: Notify,
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
        connection: RwLock::new(None),
        moving: AtomicBool::new(false),
        newest: AtomicU64::new(0),
        jobs: sender,
        lost: Notify::new(),
    });
    let driver = Driver {
        client,
        shared: Arc::clone(&shared),
        jobs,
        connection: None,
        away: false,
    };
    Ok((shared, driver))
}

impl Shared {
    pub(super) fn is_up(&self) -> bool {
        self.connection().is_some()
    }

    /// The stamp of everything; `None` where Redis is not to be used.
    pub(super) async fn stamp(&self) -> Option<Stamp> {
        let mut connection = self.connection()?;
        let read: RedisResult<(Text, Text)> = redis::cmd("MGET")
            .arg(VERSION)
            .arg(ERA)
            .query_async(&mut connection)
            .await;
        let newest = self.newest.load(Ordering::Acquire);
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
            None => self.lose(),
        }
        stamp
    }

    /// What Redis keeps of a view.
    pub(super) async fn get(&self, view: &View, stamp: Stamp) -> Option<Entry> {
        let mut connection = self.connection()?;
        let name = name(view, stamp.version);
        let sealed: RedisResult<Option<Vec<u8>>> = redis::cmd("GET")
            .arg(&name)
            .query_async(&mut connection)
            .await;
        let sealed = sealed.map_err(|error| self.failed(&error)).ok()??;
        seal::unseal(&name, stamp.era, &sealed)
    }

    /// Keeps an answer that was read after `stamp`.
    pub(super) async fn put(&self, view: &View, stamp: Stamp, entry: &Entry, ttl: Duration) {
        let Some(mut connection) = self.connection() else {
            return;
        };
        let name = name(view, stamp.version);
        let sealed = seal::seal(&name, stamp.era, entry);
        let ttl_s = ttl.as_secs().max(1);
        if planted(Mutant::FillRegardless) {
            sleep(Duration::from_millis(3)).await;
            let set: RedisResult<()> = redis::cmd("SET")
                .arg((name, sealed, "EX", ttl_s))
                .query_async(&mut connection)
                .await;
            drop(set);
            return;
        }
        let kept: RedisResult<()> = redis::cmd("EVAL")
            .arg(PUT)
            .arg(3)
            .arg((VERSION, ERA, name))
            .arg((stamp.version, stamp.era, sealed, ttl_s))
            .query_async(&mut connection)
            .await;
        if let Err(error) = kept {
            self.failed(&error);
        }
    }

    pub(super) fn outdate(&self, orders: Vec<OrderId>, answer: Answer) {
        self.ask(orders, false, answer);
    }

    pub(super) fn outdate_all(&self, answer: Answer) {
        self.ask(Vec::new(), true, answer);
    }

    fn ask(&self, orders: Vec<OrderId>, all: bool, answer: Answer) {
        if !self.moving.load(Ordering::SeqCst) {
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
            self.lose();
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
        let Some(mut connection) = self.connection() else {
            return;
        };
        for pattern in ["orders:list:[0-9]*", "orders:detail:*", "orders:v1:*"] {
            if let Err(error) = remove(&mut connection, pattern).await {
                return self.failed(&error);
            }
        }
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// An answer that Redis refused is as good as none; a connection that fails is lost.
    fn failed(&self, error: &RedisError) {
        if is_broken(error) {
            self.lose();
        }
    }

    /// From here on Redis is bypassed, until the driver has connected anew.
    fn lose(&self) {
        self.close();
        self.lost.notify_one();
    }

    fn close(&self) {
        *self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
        self.moving.store(false, Ordering::SeqCst);
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
            self.answer_waiting();
            if !self.connect().await {
                self.pause().await;
            }
        }
    }

    async fn try_connect(&self) -> RedisResult<MultiplexedConnection> {
        let mut connection = connect(&self.client).await?;
        // Asked before anybody has to wait for it: one that hangs takes connections too.
        let version = version(&mut connection).await?;
        // The order matters: who commits from here on moves the stamps, and who had committed
        // before has his effect in whatever the new era will be filled with.
        self.shared.moving.store(true, Ordering::SeqCst);
        let newest = self.shared.newest.load(Ordering::Acquire);
        if version.is_none_or(|version| version < newest) {
            set(&mut connection, VERSION, newest + 1).await?;
        }
        set(&mut connection, ERA, another_era()).await?;
        *self
            .shared
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
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

    /// Waits before the next try, and keeps nobody waiting meanwhile.
    async fn pause(&mut self) {
        let pause = sleep(RETRY_EVERY);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return,
                job = self.jobs.recv() => {
                    if let Some(job) = job {
                        (job.answer)();
                    }
                }
            }
        }
    }

    fn answer_waiting(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            (job.answer)();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.close();
        self.jobs.close();
        self.answer_waiting();
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

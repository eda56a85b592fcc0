//! `orderd serve`: from the command line to a running server, and down again.
//!
//! It reads as the order of events: what is configured, the port, the store, serving, draining.

#[cfg_attr(not(feature = "aws"), path = "serve/without_aws.rs")]
mod aws;
pub(crate) mod banner;
pub(crate) mod fulfilment;
mod inside;
mod invariants;
pub(crate) mod roles;
pub(crate) mod signals;
mod systemd;

use crate::Globals;
use crate::listener::{self, Limits};
use crate::port;
use anyhow::Context;
use api::{App, Hosts, Parts, PasswordDigest, Proxies, Rate};
use banner::Storage;
use domain::idempotency::Retention;
use domain::product::Lines;
use domain::trace::Tracer;
use domain::{Change, RecordId, RecordKind, WriteSet};
use inside::Told;
pub(crate) use roles::Role;
use setup::cache::cache;
use setup::clock::{self, SystemClock};
use setup::config::{self, Anonymous, Config, Flag, Fulfil, RateLimit, Settings, Shutdown, Switch};
use setup::exit::{Code, Exit};
use setup::fulfilment::{millis, rules};
use setup::telemetry::{self, Telemetry};
use setup::topics;
use signals::{Signal, Signals};
use std::net::{self, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::cache::{Cache, Driver};
use store::open::{Access, Options, locate};
use store::{Committed, RecordQuery, Store};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// How often the store is asked whether it can still be used: a file, and a service, which may want to be
/// paid for each answer.
const WATCH_EVERY: Duration = Duration::from_secs(1);
const WATCH_SERVICE_EVERY: Duration = Duration::from_mins(1);
/// How often what happened is counted for the charts of the dashboard.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where orders are kept [default: sqlite:orderd.db]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Which parts to run: api, worker; one alone needs a database server
    #[arg(
        long,
        value_name = "ROLES",
        default_value = "api,worker",
        value_delimiter = ','
    )]
    roles: Vec<Role>,
}

/// Runs the sub-command.
pub(crate) fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let listen = args
        .listen
        .map(|listen| ("--listen", "server.listen", listen));
    let url = args
        .database_url
        .map(|url| ("--database-url", "database.url", url));
    let flags = listen.into_iter().chain(url).collect();
    run_roles(&args.roles, flags, globals)
}

/// Runs parts of a server.
pub(crate) fn run_roles(
    roles: &[Role],
    mut flags: Vec<Flag>,
    globals: &Globals,
) -> anyhow::Result<ExitCode> {
    flags.extend(roles::flag(roles));
    // Who may do what depends on where it listens: a socket that was handed over says where that is.
    let socket = systemd::socket()?;
    if let Some(socket) = &socket {
        let address = socket.local_addr()?.to_string();
        flags.push(("LISTEN_FDS", "server.listen", address));
    }
    let config = config::load(globals, flags)?;
    roles::guard(roles, &config.settings)?;
    let telemetry = telemetry::start(&config.settings);
    let runtime = runtime(&config.settings)?;
    if roles.contains(&Role::Api) {
        return runtime.block_on(serve(&config, socket, &telemetry));
    }
    runtime.block_on(work(&config, &telemetry))
}

async fn serve(
    config: &Config,
    socket: Option<net::TcpListener>,
    telemetry: &Telemetry,
) -> anyhow::Result<ExitCode> {
    let signals = Signals::install()?;
    guard_access(config).await?;
    fulfilment::guard_payments(&config.settings)?;
    // Before the store: who does not get the port has made and migrated nothing.
    let listener = match socket {
        Some(socket) => TcpListener::from_std(socket)?,
        None => port::bind(config.settings.server.listen)?,
    };
    let (cache, driver) = cache(config).await?;
    let (store, app) = open(config, cache, telemetry.tracer()).await?;
    topics::guard_queue(&config.settings)?;
    let now = app.clock.now();
    let mut server = Server::start(config, app, driver).await?;
    topics::register(&config.settings, &*store, now).await?;
    topics::warn_of_others(&config.settings, &*store).await?;
    server.listen(config, listener)?;
    let stats = store.stats().await?;
    banner::show(
        config,
        &server,
        Storage::Durable(&stats.location),
        telemetry,
    );
    server.run(signals, telemetry).await
}

/// The worker alone.
async fn work(config: &Config, telemetry: &Telemetry) -> anyhow::Result<ExitCode> {
    let signals = Signals::install()?;
    let (cache, driver) = cache(config).await?;
    let (store, app) = open(config, cache, telemetry.tracer()).await?;
    topics::guard_worker(&config.settings, &*store).await?;
    let now = app.clock.now();
    let server = Server::start(config, app, driver).await?;
    if topics::drains_outbox(&config.settings) {
        topics::register(&config.settings, &*store, now).await?;
    } else {
        topics::register_completed(&config.settings, &*store, now).await?;
    }
    banner::working(config, &store.stats().await?.location);
    server.run(signals, telemetry).await
}

/// The threads that serve.
pub(crate) fn runtime(settings: &Settings) -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if settings.server.workers > 0 {
        builder.worker_threads(settings.server.workers);
    }
    builder
        .thread_name("serve")
        .enable_all()
        .build()
        .context("cannot start threads")
}

/// Opens the store as its owner, and all that handlers reach.
pub(crate) async fn open(
    config: &Config,
    cache: Arc<Cache>,
    tracer: Option<Arc<dyn Tracer>>,
) -> anyhow::Result<(Arc<dyn Store>, Arc<App>)> {
    let clock = Arc::new(SystemClock);
    let options = Options {
        cache: Arc::clone(&cache),
        ..config.store_options(Access::Own)
    };
    let store = store::open(&options, &*clock).await.map_err(Exit::from)?;
    let ids = clock::ids();
    if let Some(event_id) = store.stats().await?.newest_event {
        ids.start_after(event_id.as_uuid());
    }
    let cursor_key = cursor_key(&*store).await?;
    let settings = api_settings(&config.settings);
    let mut app = App::new(Parts {
        store: Arc::clone(&store),
        cache,
        clock,
        ids: Arc::new(ids),
        settings,
        cursor_key,
    });
    app.tracer = tracer;
    Ok((store, Arc::new(app)))
}

/// Whoever can reach the port can place orders, unless somebody decided otherwise: so outside of
/// this machine somebody has to decide, or there are tokens.
pub(crate) async fn guard_access(config: &Config) -> anyhow::Result<()> {
    let settings = &config.settings;
    let address = settings.server.listen;
    if port::is_loopback(address.ip())
        || settings.access.anonymous != Anonymous::Auto
        || has_tokens(config).await
    {
        return Ok(());
    }
    Err(Exit::new(
        Code::Configuration,
        &format!("Refusing to listen at {address}."),
        "others can reach this address, there are no tokens, and nothing says what strangers may do.",
        "make a token: orderd token create --scope write; or set ORDERD_ACCESS_ANONYMOUS=write, or \
         in orderd.toml: [access] anonymous = \"write\"",
    )
    .into())
}

/// Whether the database has a token. Looked up before the port is bound, so it makes no file.
async fn has_tokens(config: &Config) -> bool {
    let options = config.store_options(Access::Read);
    let Ok(store) = store::open(&options, &SystemClock).await else {
        return false;
    };
    let query = RecordQuery {
        kind: RecordKind::Token,
        after: None,
        limit: 1,
    };
    let found = store.list(query).await;
    found.is_ok_and(|page| !page.items.is_empty())
}

/// The secret that signs cursors: made once for a store, so that cursors outlive a restart.
async fn cursor_key(store: &dyn Store) -> anyhow::Result<[u8; 32]> {
    let id = RecordId {
        kind: RecordKind::Secret,
        id: "cursor".into(),
    };
    let fresh: [u8; 32] = rand::random();
    let change = Change::Record {
        id: id.clone(),
        was: 0,
        body: Some(fresh.into()),
    };
    let write_set = WriteSet {
        claim: None,
        changes: vec![change],
    };
    match store.commit(Arc::new(write_set)).await? {
        Committed::Done => Ok(fresh),
        Committed::Seen(_) | Committed::Refused(_) => {
            let record = store.records(&[id]).await?.into_iter().flatten().next();
            let body = record
                .context("the secret that signs cursors is neither there nor new")?
                .body;
            (*body)
                .try_into()
                .context("the secret that signs cursors has not 32 bytes")
        }
    }
}

fn api_settings(settings: &Settings) -> api::Settings {
    let password = &settings.admin.password;
    let on_loopback = port::is_loopback(settings.server.listen.ip());
    api::Settings {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("ORDERD_COMMIT").unwrap_or("unknown"),
        rules: rules(settings),
        fulfil_after_ms: if topics::hands_over(settings) {
            topics::again_ms(settings)
        } else {
            0
        },
        webhook_reach: fulfilment::reach(settings),
        trace_url: settings.telemetry.trace_url.clone(),
        idempotency_required: settings.idempotency.required,
        idempotency_mismatch_status: settings.idempotency.mismatch_status,
        retention: retention(settings),
        default_currency: settings.currency.default,
        order_lines: if settings.catalogue.strict {
            Lines::Products
        } else {
            Lines::Any
        },
        require_if_match: settings.api.require_if_match,
        body_max_bytes: settings.limits.body_max_bytes,
        batch_max_bytes: settings.limits.batch_max_bytes,
        body_timeout_ms: millis(settings.server.body_timeout).cast_unsigned(),
        faults_enabled: settings.faults.enabled,
        fulfil_all_contracts: settings.contracts.fulfil == Fulfil::All,
        anonymous: match settings.access.anonymous {
            Anonymous::None => api::Anonymous::None,
            Anonymous::Read => api::Anonymous::Read,
            Anonymous::Auto if !on_loopback => api::Anonymous::None,
            Anonymous::Auto | Anonymous::Write => api::Anonymous::Write,
        },
        hosts: hosts(settings),
        base_path: settings.server.base_path.clone(),
        trusted_proxies: Proxies {
            networks: settings.server.trusted_proxies.clone(),
            header: settings.server.client_header.clone(),
        },
        rate: match settings.rate_limit.enabled {
            Switch::Off => None,
            Switch::Auto if on_loopback => None,
            Switch::Auto | Switch::On => Some(rate(&settings.rate_limit)),
        },
        admin_password: (!password.is_empty()).then(|| PasswordDigest::of(password.as_bytes())),
    }
}

/// Under which names strangers may ask. Who said himself what they may do has let them in, whatever
/// name they know; where it only follows from the address, nobody meant the pages of others.
fn hosts(settings: &Settings) -> Hosts {
    let names = &settings.server.hosts;
    let is_open_by_itself = settings.access.anonymous == Anonymous::Auto
        && port::is_loopback(settings.server.listen.ip());
    if is_open_by_itself || !names.is_empty() {
        Hosts::Named(names.clone())
    } else {
        Hosts::Any
    }
}

/// How long keys are remembered.
pub(crate) fn retention(settings: &Settings) -> Retention {
    Retention {
        reply_ms: millis(settings.idempotency.retention),
        tombstone_ms: millis(settings.idempotency.tombstone_retention),
    }
}

fn rate(settings: &RateLimit) -> Rate {
    let number = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
    Rate {
        per_second: number(settings.per_second),
        burst: number(settings.burst),
    }
}

/// A server that runs.
pub(crate) struct Server {
    /// Where it listens; unspecified while it does not.
    pub(crate) address: SocketAddr,
    app: Arc<App>,
    stop: CancellationToken,
    connections: TaskTracker,
    /// Set once the store is closed; until then what is in the background goes on.
    closed: CancellationToken,
    background: TaskTracker,
    shutdown: Shutdown,
    watch_every: Duration,
}

impl Server {
    /// Starts all but listening.
    pub(crate) async fn start(
        config: &Config,
        app: Arc<App>,
        driver: Option<Driver>,
    ) -> anyhow::Result<Self> {
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let providers = fulfilment::start(&config.settings, &app, &connections, &stop).await?;
        let told = app.inside.set(Box::new(Told::new(config, providers)));
        debug_assert!(told.is_ok(), "a server is started once");
        let (closed, background) = (CancellationToken::new(), TaskTracker::new());
        let server = Self {
            address: SocketAddr::from(([0; 4], 0)),
            app,
            stop,
            connections,
            closed,
            background,
            shutdown: config.settings.shutdown.clone(),
            watch_every: watch_every(config),
        };
        if let Some(driver) = driver {
            server.in_background(driver.run());
        }
        server.in_background(invariants::watch(Arc::clone(&server.app)));
        Ok(server)
    }

    /// Does something until the store is closed.
    pub(crate) fn in_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        self.background
            .spawn(async move { closed.run_until_cancelled(task).await });
    }

    /// Serves what comes in at `listener`.
    pub(crate) fn listen(&mut self, config: &Config, listener: TcpListener) -> anyhow::Result<()> {
        port::allow_connections();
        let limits = Limits::of(&config.settings.server);
        self.address = listener.local_addr()?;
        let router = api::router(Arc::clone(&self.app));
        let (stop, connections) = (self.stop.clone(), self.connections.clone());
        let accept = listener::accept(listener, router, limits, stop, connections.clone());
        connections.spawn(accept);
        Ok(())
    }

    /// Serves until a signal comes, or the store is lost; then finishes what was begun.
    pub(crate) async fn run(
        self,
        mut signals: Signals,
        telemetry: &Telemetry,
    ) -> anyhow::Result<ExitCode> {
        self.tell_supervisor();
        let (sampled, store_is_free) = (Arc::clone(&self.app), self.watch_every == WATCH_EVERY);
        self.in_background(async move { sample(&sampled, store_is_free).await });
        let lost = tokio::select! {
            signal = signals.next() => {
                info!(signal = signal.name(), "Stopping: finishing the requests under way");
                None
            }
            error = lost(&*self.app.store, self.watch_every) => {
                error!(error = &error as &dyn std::error::Error, "Stopping: the store cannot be used any more");
                Some(error)
            }
        };
        self.app.stopping.cancel();
        systemd::stopping();
        tokio::select! {
            () = sleep(self.shutdown.delay) => {}
            signal = signals.next() => end_at_once(signal, telemetry),
        }
        self.stop.cancel();
        self.connections.close();
        tokio::select! {
            drained = timeout(self.shutdown.timeout, self.connections.wait()) => {
                if drained.is_err() {
                    warn!("Cut {} connections that did not end in time", self.connections.len());
                }
            }
            signal = signals.next() => end_at_once(signal, telemetry),
        }
        self.app
            .store
            .close()
            .await
            .context("cannot close the store")?;
        self.closed.cancel();
        self.background.close();
        self.background.wait().await;
        info!("Stopped");
        lost.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into()))
    }
}

impl Server {
    /// Says that the start is over, and from then on that it lives.
    fn tell_supervisor(&self) {
        let status = match self.address.port() {
            0 => "Working on orders".to_owned(),
            _ => format!("Serving at {}", self.address),
        };
        systemd::ready(&status);
        let app = Arc::clone(&self.app);
        let alive = systemd::stay_alive(status, move || app.metrics.orders_created());
        self.in_background(alive);
    }
}

/// How often the store may be asked how it is.
fn watch_every(config: &Config) -> Duration {
    match locate(&config.settings.database.url) {
        Ok(location) if location.file().is_none() => WATCH_SERVICE_EVERY,
        _ => WATCH_EVERY,
    }
}

/// Counts what happens, second by second. Never ends.
async fn sample(app: &App, store_is_free: bool) {
    let mut tick = interval(SAMPLE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        app.sample(store_is_free).await;
    }
}

/// Waits until the store says that it is lost for good, not merely out of order.
async fn lost(store: &dyn Store, every: Duration) -> store::Error {
    loop {
        sleep(every).await;
        if let Err(error @ store::Error::Corrupt(_)) = store.stats().await {
            return error;
        }
    }
}

/// What was acknowledged is on disk, so nothing is lost by not waiting.
fn end_at_once(signal: Signal, telemetry: &Telemetry) -> ! {
    warn!(
        signal = signal.name(),
        "Stopping at once: {} came again",
        signal.name()
    );
    telemetry.flush();
    std::process::exit(signal.exit_code())
}

//! `orderd bench`: closed-loop load against a running server, and what it came to.
//!
//! This file is the order of events; what is sent is in `request`, how in `wire` and `load`, what
//! is counted in `tally`, how it is told in `summary`.

mod load;
mod request;
mod scenario;
mod summary;
mod tally;
mod wire;

use crate::Globals;
use crate::client::{Base, Server};
use crate::progress::Progress;
use load::{Load, lock};
use request::{PREPARED, Route};
use scenario::{Contract, Scenario, Work};
use setup::exit::{Code, Exit};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use summary::{ExactlyOnce, Latency, Summary, micros, rate};
use tally::Tally;
use tokio::task::JoinSet;

const DURATION_MAX: Duration = Duration::from_mins(10);
/// How long placing the orders beforehand may take.
const PREPARE_MAX: Duration = Duration::from_mins(1);
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// How many requests are sent again afterwards.
const CHECKED: usize = 200;

/// What the command line says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: crate::client::ServerArgs,
    /// Connections, each with one request at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Threads that share the connections; one is enough for most servers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// How long to measure: 500ms, 10s, 2m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Send so many requests instead, all of them measured
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    requests: Option<u64>,
    /// How long to send before measuring
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration, conflicts_with = "requests")]
    warmup: Duration,
    /// What the requests do: create, replay, get, list, batch (100 orders a request), or mixed (of
    /// ten: 5 create, 1 replay, 3 get, 1 list)
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Scenario::Create, hide_possible_values = true)]
    scenario: Scenario,
    /// So many reads of a hundred requests, nine lists for each single order; the rest place orders
    #[arg(long, value_name = "N", conflicts_with = "scenario", value_parser = clap::value_parser!(u8).range(0..=100))]
    read_percent: Option<u8>,
    /// The wire form: v1, or that of an older contract: receipt or basket
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Contract::V1, hide_possible_values = true)]
    contract: Contract,
    /// Post to this path instead, and take what it answers for granted
    #[arg(long, hide = true)]
    path: Option<String>,
}

/// Runs the sub-command.
pub(crate) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let does = args
        .read_percent
        .map_or(Work::Scenario(args.scenario), Work::Reads);
    if !args.contract.can(does) {
        let why = "that contract has no batches, or no lists.";
        return Err(Exit::new(
            Code::Configuration,
            "Cannot run this load.",
            why,
            "leave out --contract.",
        )
        .into());
    }
    let server = args.server.server(globals)?;
    let bench = Bench::new(&args, server)?;

    let prepared = if does.needs_orders() {
        bench.prepare().await?
    } else {
        Vec::new()
    };
    let plan = Plan {
        does,
        ids: prepared
            .iter()
            .map(|(_, body)| order_id(body))
            .collect::<anyhow::Result<_>>()?,
        // The numbers below are those of the prepared orders.
        first: PREPARED,
        requests: args.requests,
        warmup: if args.requests.is_some() {
            Duration::ZERO
        } else {
            args.warmup
        },
        duration: if args.requests.is_some() {
            DURATION_MAX
        } else {
            args.duration
        },
    };
    let (load, tally) = bench.run(plan, CHECKED.div_ceil(bench.threads)).await?;
    let measured = load.measured_from.elapsed();

    let exactly_once = match args.path {
        None => check(&load, &tally, prepared).await?,
        Some(_) => None,
    };
    let summary = summarise(&load, &tally, measured, bench.connections, exactly_once);
    if globals.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{summary}");
    }
    let holds = summary.exactly_once.as_ref().is_none_or(ExactlyOnce::holds);
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        Code::Problems.into()
    })
}

/// What the loads of one run have in common.
struct Bench {
    url: String,
    address: String,
    route: Route,
    connections: usize,
    threads: usize,
}

/// One load of a run.
struct Plan {
    does: Work,
    ids: Vec<String>,
    first: u64,
    requests: Option<u64>,
    warmup: Duration,
    duration: Duration,
}

/// Numbers of requests with the bodies that answered them.
type Kept = Vec<(u64, Box<[u8]>)>;

impl Bench {
    fn new(args: &Args, server: Server) -> anyhow::Result<Self> {
        let Base { address, prefix } = Base::parse(&server.url)?;
        let path = args.path.as_deref().unwrap_or(args.contract.path());
        let route = Route {
            host: address.clone(),
            path: format!("{prefix}{path}"),
            contract: args.contract,
            run: getrandom::u32()?,
            token: server.token,
        };
        let (connections, threads) = (args.connections.into(), args.threads.into());
        Ok(Self {
            url: server.url,
            address,
            route,
            connections,
            threads,
        })
    }

    /// Places the orders that will be replayed and read, and gives back their answers.
    async fn prepare(&self) -> anyhow::Result<Kept> {
        let plan = Plan {
            does: Work::Scenario(Scenario::Create),
            ids: Vec::new(),
            first: 0,
            requests: Some(PREPARED),
            warmup: Duration::ZERO,
            duration: PREPARE_MAX,
        };
        let (_, tally) = self.run(plan, usize::try_from(PREPARED)?).await?;
        let mut kept = tally.sample.kept;
        if u64::try_from(kept.len())? < PREPARED {
            let what = format!(
                "Only {} of {PREPARED} orders could be placed beforehand.",
                kept.len()
            );
            let why = format!("the answers were {:?}.", tally.statuses);
            let fix = "see the server's log.";
            return Err(Exit::new(Code::Failed, &what, why, fix).into());
        }
        kept.sort_unstable_by_key(|(number, _)| *number);
        Ok(kept)
    }

    /// Runs a load to its end, showing how it goes.
    async fn run(&self, plan: Plan, sample: usize) -> anyhow::Result<(Arc<Load>, Tally)> {
        let mut streams = self.connect().await?;
        let load = Arc::new(self.begin(plan));
        let tallies: Vec<_> = (0..self.threads)
            .map(|_| Arc::new(Mutex::new(Tally::new(sample))))
            .collect();
        let mut threads = JoinSet::new();
        for (index, tally) in tallies.iter().enumerate() {
            let share = streams.split_off(streams.len() - streams.len() / (self.threads - index));
            let (load, tally) = (Arc::clone(&load), Arc::clone(tally));
            threads.spawn_blocking(move || load.run(share, &tally));
        }

        let mut progress = Progress::new(load.work());
        let mut tick = tokio::time::interval(PROGRESS_EVERY);
        loop {
            tokio::select! {
                ended = threads.join_next() => match ended {
                    Some(ended) => ended??,
                    None => break,
                },
                _ = tick.tick() => show(&mut progress, &load, &tallies),
            }
        }
        progress.finish();
        Ok((load, sum(&tallies)))
    }

    /// The load that begins now.
    fn begin(&self, plan: Plan) -> Load {
        let begins = Instant::now();
        let measured_from = begins + plan.warmup;
        Load {
            address: self.address.clone(),
            route: self.route.clone(),
            does: plan.does,
            ids: plan.ids,
            next: AtomicU64::new(plan.first),
            first: plan.first,
            end: plan.requests.map(|requests| plan.first + requests),
            begins,
            measured_from,
            ends: measured_from + plan.duration,
        }
    }

    async fn connect(&self) -> anyhow::Result<Vec<TcpStream>> {
        let mut pending = JoinSet::new();
        for _ in 0..self.connections {
            let address = self.address.clone();
            pending.spawn(async move { wire::connect(&address).await?.into_std() });
        }
        let mut streams = Vec::with_capacity(self.connections);
        while let Some(stream) = pending.join_next().await {
            streams.push(stream?.map_err(|error| {
                let what = format!(
                    "Cannot open {} connections to {}.",
                    self.connections, self.url
                );
                let fix =
                    "is it running? Start it with: orderd serve. Many connections? See ulimit -n.";
                Exit::new(Code::Unreachable, &what, error, fix)
            })?);
        }
        Ok(streams)
    }
}

/// Sends some of the requests again: the same key must give the same answer, another key another.
async fn check(load: &Load, tally: &Tally, prepared: Kept) -> anyhow::Result<Option<ExactlyOnce>> {
    let mut kept = match load.does {
        does if does.is_repeatable() => tally.sample.kept.clone(),
        Work::Scenario(Scenario::Replay) => prepared,
        _ => Vec::new(),
    };
    kept.truncate(CHECKED);
    if kept.is_empty() {
        return Ok(None);
    }
    let different = load::repeat(load, &kept).await?;
    let checked = u64::try_from(kept.len())?;
    kept.sort_unstable_by(|one, other| one.1.cmp(&other.1));
    kept.dedup_by(|one, other| one.1 == other.1);
    let shared = checked - u64::try_from(kept.len())?;
    Ok(Some(ExactlyOnce {
        checked,
        different,
        shared,
    }))
}

fn order_id(body: &[u8]) -> anyhow::Result<String> {
    let order: serde_json::Value = serde_json::from_slice(body)?;
    let id = order
        .get("order_id")
        .and_then(serde_json::Value::as_str)
        .filter(|id| id.len() == 36);
    id.map(ToOwned::to_owned).ok_or_else(|| {
        let fix = "is it orderd that answers there? See --url.";
        Exit::new(
            Code::Failed,
            "Cannot use the orders placed beforehand.",
            "an answer has no order_id.",
            fix,
        )
        .into()
    })
}

fn show(progress: &mut Progress, load: &Load, tallies: &[Arc<Mutex<Tally>>]) {
    let tally = sum(tallies);
    let seconds = load.measured_from.elapsed().as_secs_f64();
    let text = if seconds > 0.0 {
        let p99 = micros(tally.latencies.value_at_quantile(0.99));
        format!(
            "{}/s · p99 {p99}",
            rate(per_second(tally.latencies.len(), seconds))
        )
    } else {
        "warming up".to_owned()
    };
    progress.show(load.done(), &text);
}

fn sum(tallies: &[Arc<Mutex<Tally>>]) -> Tally {
    let mut sum = Tally::new(0);
    for tally in tallies {
        sum.add(&lock(tally));
    }
    sum
}

fn summarise(
    load: &Load,
    tally: &Tally,
    measured: Duration,
    connections: usize,
    exactly_once: Option<ExactlyOnce>,
) -> Summary {
    let requests = tally.latencies.len();
    let seconds = measured.as_secs_f64();
    let requests_per_s = per_second(requests, seconds);
    let orders = load
        .does
        .orders_placed()
        .map(|orders| requests.saturating_mul(orders));
    Summary {
        scenario: load.does.name(),
        connections,
        seconds,
        requests,
        requests_per_s,
        orders_per_s: orders.map(|orders| per_second(orders, seconds)),
        latency_us: Latency::of(tally),
        statuses: tally.statuses.clone(),
        failures: tally.failures,
        requests_sent: tally.sent,
        exactly_once,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more than 52 bits"
)]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// Reads a duration of a load: up to ten minutes, and none at all.
fn duration(text: &str) -> Result<Duration, String> {
    let none = ["0", "0s", "0ms"].contains(&text).then_some(Duration::ZERO);
    none.or_else(|| setup::config::parse_duration(text))
        .filter(|duration| *duration <= DURATION_MAX)
        .ok_or_else(|| "write 500ms, 10s or 2m; ten minutes at most".to_owned())
}

//! How fast orders are driven to their end: alone, and while others are placed.

use super::report::{self, Goal, Row};
use super::server::Server;
use super::{Bench, QUIET, Rival, WITHOUT_INDEX, WITHOUT_WORKER, bytes, row};
use anyhow::{Context as _, Result, anyhow, ensure};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Providers that answer at once and never fail, so that what is measured is orderd.
const WILLING: [(&str, &str); 2] = [
    ("ORDERD_SIMULATED_FAILURE_RATE", "0.0"),
    ("ORDERD_SIMULATED_LATENCY_MS", "0"),
];
/// Counted up to a bound: good for whether it is nothing.
const WAITING: &str = "orderd_outbox_pending ";
const CREATED: &str = "orderd_orders_created_total ";
const COMPLETED: &str = "orderd_orders_finished_total{status=\"completed\"} ";
/// How often a sample is taken under load.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked how many orders wait.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What it took to drive orders to their end.
struct Driven {
    rate: f64,
    cpu_us: f64,
    on_disk: f64,
    verified_in: Duration,
}

impl Bench {
    /// `created` and `ceiling` are what the same machine creates and answers in a second.
    pub(super) fn fulfilment(&self, created: f64, ceiling: f64) -> Result<Vec<Row>> {
        let orders = self.extent.orders;
        let mut driven = Vec::new();
        for round in 0..self.extent.rounds {
            driven.push(self.drive(&format!("fulfil {round}"), orders)?);
        }
        driven.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        let alone = &driven[driven.len() / 2];
        let note = format!("{}/s", report::figure(alone.rate));
        let percent = |rate: f64, of: f64| 100.0 * rate / of;
        let mut rows = vec![
            row(
                "fulfilment alone : create, 64 connections",
                Goal::AtLeast(60.0),
                percent(alone.rate, created),
                " %",
            )
            .with(note),
            row(
                "CPU of a fulfilment",
                Goal::AtMost(33.0),
                alone.cpu_us,
                " µs",
            ),
            row(
                "on disk, an order of one line, completed",
                Goal::AtMost(480.0),
                alone.on_disk,
                " B",
            ),
        ];
        let verified_s = alone.verified_in.as_secs_f64() * 100_000.0 / bytes(orders);
        rows.push(row(
            "verify, for each 100,000 completed orders",
            Goal::AtMost(1.0),
            verified_s,
            " s",
        ));
        rows.extend(self.both(ceiling)?);
        Ok(rows)
    }

    /// Places orders, then starts a worker that finds them all.
    fn drive(&self, name: &str, orders: u64) -> Result<Driven> {
        let server = self.start(name, &[QUIET, WITHOUT_INDEX, WITHOUT_WORKER])?;
        let batches = (orders / 100).to_string();
        self.measure(
            &Rival::new(&server, 4, &["batch"]),
            &["--requests", &batches],
        )?;
        let orders = bytes(ask(&server, CREATED)?);
        server.stop()?;

        let server = self.start(name, &[QUIET, WITHOUT_INDEX, WILLING[0], WILLING[1]])?;
        let (begun, before) = (Instant::now(), bytes(ask(&server, COMPLETED)?));
        while ask(&server, WAITING)? > 0 {
            sleep(LOOK_EVERY);
        }
        let completed = bytes(ask(&server, COMPLETED)?) - before;
        let rate = completed / begun.elapsed().as_secs_f64();
        let cpu_us = server.usage()?.cpu.as_secs_f64() * 1e6 / orders;
        let on_disk = bytes(server.stop()?) / orders;
        Ok(Driven {
            rate,
            cpu_us,
            on_disk,
            verified_in: self.verify(name)?,
        })
    }

    /// Has `orderd verify` check a database and the books beside it; how long that took.
    fn verify(&self, name: &str) -> Result<Duration> {
        let begun = Instant::now();
        let output = Command::new(&self.binary)
            .args(["verify", "--json", "--no-env-file", "--database-url"])
            .arg(Server::database(&self.directory.join(name)))
            .output()?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "verify found problems: {said}");
        ensure!(said.contains("payments_agree"), "verify read no books");
        Ok(took)
    }

    /// Creates and fulfils at once; the medians of some rounds.
    fn both(&self, ceiling: f64) -> Result<Vec<Row>> {
        let settings = [QUIET, WITHOUT_INDEX, WILLING[0], WILLING[1]];
        let time = format!("{}s", 2 * self.extent.seconds);
        let mut seen = Vec::new();
        for round in 0..self.extent.rounds {
            let server = self.start(&format!("both {round}"), &settings)?;
            let load = Rival::new(&server, 64, &["create"]);
            let (mut samples, ended) = (Vec::new(), AtomicBool::new(false));
            let placed = thread::scope(|scope| {
                let watch = scope.spawn(|| -> Result<Vec<Sample>> {
                    let mut samples = Vec::new();
                    while !ended.load(Ordering::Relaxed) {
                        samples.push(Sample::take(&server)?);
                        thread::sleep(SAMPLE_EVERY);
                    }
                    Ok(samples)
                });
                let placed = self.measure(&load, &["--duration", &time]);
                ended.store(true, Ordering::Relaxed);
                samples = watch.join().map_err(|_| anyhow!("the watch panicked"))??;
                placed
            })?;
            let (created, fulfilled) = rates(&samples).context("too few samples")?;
            seen.push((created, fulfilled, placed.p99_ms));
            server.stop()?;
        }
        seen.sort_by(|one, other| (one.0 + one.1).total_cmp(&(other.0 + other.1)));
        let (placed, ended, p99_ms) = seen[seen.len() / 2];
        let percent = |rate: f64| 100.0 * rate / ceiling;
        let note = format!(
            "{}/s created, {}/s fulfilled",
            report::figure(placed),
            report::figure(ended)
        );
        Ok(vec![
            row(
                "creating and fulfilling at once, in sum : HTTP ceiling",
                Goal::AtLeast(35.0),
                percent(placed + ended),
                " %",
            )
            .with(note),
            row(
                "… the lesser of the two",
                Goal::AtLeast(16.0),
                percent(placed.min(ended)),
                " %",
            ),
            row("… p99 of a create", Goal::AtMost(10.0), p99_ms, " ms"),
        ])
    }
}

/// What a server had done at a moment.
struct Sample {
    at: Instant,
    created: f64,
    completed: f64,
}

impl Sample {
    fn take(server: &Server) -> Result<Self> {
        let metrics = server.get("/metrics")?;
        Ok(Self {
            at: Instant::now(),
            created: bytes(figure(&metrics, CREATED)?),
            completed: bytes(figure(&metrics, COMPLETED)?),
        })
    }
}

/// How many were created and how many fulfilled in a second, for as long as some were created.
fn rates(samples: &[Sample]) -> Option<(f64, f64)> {
    let grows = |pair: &[Sample]| pair[1].created > pair[0].created;
    let first = samples.windows(2).position(grows)?;
    let last = samples.windows(2).rposition(grows)?;
    let (first, last) = (samples.get(first + 1)?, samples.get(last)?);
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    let created = last.created - first.created;
    let fulfilled = last.completed - first.completed;
    (seconds > 0.0).then(|| (created / seconds, fulfilled / seconds))
}

/// What a server says of one figure.
fn ask(server: &Server, name: &str) -> Result<u64> {
    figure(&server.get("/metrics")?, name)
}

fn figure(metrics: &str, name: &str) -> Result<u64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let count = line.and_then(|count| count.trim().parse().ok());
    count.with_context(|| format!("/metrics does not say {name}"))
}

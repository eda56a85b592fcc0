//! `cargo xtask bench`: how fast orderd is, beside the ceilings of the same machine in the same run.
//!
//! The rivals of a figure take turns, and the median counts: a shared machine is never quiet. The
//! table goes to the screen and to `bench/results/<date>.md`. It passes and fails nothing.

mod fulfil;
mod pages;
mod placing;
mod report;
pub(crate) mod server;

use crate::compiled;
use anyhow::{Context as _, Result, bail};
use report::{Goal, Row};
use serde_json::Value;
use server::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const CONNECTIONS: [u32; 4] = [1, 16, 64, 256];
/// No setting: what is measured against must not write a log that it is not asked to write.
const QUIET: (&str, &str) = ("ORDERD_LOG_LEVEL", "warn");
const WITHOUT_INDEX: (&str, &str) = ("ORDERD_DATABASE_CUSTOMER_INDEX", "false");
const WITHOUT_WORKER: (&str, &str) = ("ORDERD_WORKER_ENABLED", "false");
const WITHOUT_CACHE: (&str, &str) = ("ORDERD_CACHE_DISABLED", "true");
const WITH_INDEX: (&str, &str) = ("ORDERD_DATABASE_CUSTOMER_INDEX", "true");
const MIB: f64 = 1024.0 * 1024.0;
/// The profile of what is measured: that of what is shipped.
const SHIPPED: &str = "dist";

const USAGE: &str = "\
Usage: cargo xtask bench [--full] [--rounds N] [--seconds N]
  --full       fill a database with a million orders, not 200,000
  --rounds N   rounds of which the median counts (3)
  --seconds N  how long each rival is measured in a round (2)";

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    rounds: usize,
    seconds: u64,
    orders: u64,
}

/// Measures all, prints the table and writes it down.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let extent = extent(arguments)?;
    let bench = Bench::new(root, extent)?;

    let mut rows = bench.rivals()?;
    rows.extend(bench.full_database("without the index by customer", WITHOUT_INDEX)?);
    rows.extend(bench.full_database("with the index by customer", WITH_INDEX)?);
    rows.extend(bench.placing_on_servers()?);

    let date = jiff::Timestamp::now().to_string()[..10].to_owned();
    let how = format!(
        "Server and load generator share the machine. Medians of {} rounds of {} s each; rivals took \
         turns. Log level `warn`, no index by customer, unless said otherwise.",
        extent.rounds, extent.seconds
    );
    let page = report::page(&date, &how, &rows);
    println!("{page}");
    let results = root.join("bench/results");
    fs::create_dir_all(&results)?;
    fs::write(results.join(format!("{date}.md")), page)?;
    Ok(())
}

fn extent(arguments: &[String]) -> Result<Extent> {
    let mut extent = Extent {
        rounds: 3,
        seconds: 2,
        orders: 200_000,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || {
            rest.next()
                .and_then(|number| number.parse::<u64>().ok())
                .context(USAGE)
        };
        match argument.as_str() {
            "--full" => extent.orders = 1_000_000,
            "--rounds" => extent.rounds = usize::try_from(number()?)?.clamp(1, 25),
            "--seconds" => extent.seconds = number()?.clamp(1, 60),
            _ => bail!("not an option: {argument}\n{USAGE}"),
        }
    }
    Ok(extent)
}

struct Bench {
    root: PathBuf,
    binary: PathBuf,
    /// On a real disk: what a tmpfs would show is no durability.
    directory: PathBuf,
    extent: Extent,
}

/// One load, and what it cost the server.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    rate: f64,
    orders_rate: f64,
    cpu_us: f64,
    written: f64,
    p99_ms: f64,
    errors: f64,
}

/// A rival: a server, and the load it is put under.
struct Rival<'a> {
    server: &'a Server,
    load: Vec<String>,
}

impl Bench {
    fn new(root: &Path, extent: Extent) -> Result<Self> {
        let binary = build(root)?;
        let directory = root.join("target/bench");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        Ok(Self {
            root: root.to_owned(),
            binary,
            directory,
            extent,
        })
    }

    fn start(&self, name: &str, settings: &[(&str, &str)]) -> Result<Server> {
        Server::start(&self.binary, &self.directory.join(name), settings)
    }

    /// Everything that is measured side by side.
    fn rivals(&self) -> Result<Vec<Row>> {
        let plain = self.start("plain", &[QUIET, WITHOUT_INDEX, WITHOUT_WORKER])?;
        let started = [ms(plain.started_in), mib(plain.usage()?.resident_bytes)];
        let indexed = self.start("indexed", &[QUIET, WITH_INDEX, WITHOUT_WORKER])?;
        let logging = self.start(
            "logging",
            &[("ORDERD_LOG_LEVEL", "info"), WITHOUT_INDEX, WITHOUT_WORKER],
        )?;

        let mut rows = vec![
            row(
                "start to first answer, empty",
                Goal::AtMost(50.0),
                started[0],
                " ms",
            ),
            row("resident, idle", Goal::AtMost(15.0), started[1], " MiB"),
        ];
        let mut errors = 0.0;
        for connections in CONNECTIONS {
            let seen = self.compare(&[
                Rival::new(&plain, connections, &["create"]),
                Rival::new(&plain, connections, &["create", "--path", "/bench/orders"]),
            ])?;
            rows.extend(create_rows(connections, seen[0], seen[1]));
            errors += seen[0].errors;
        }
        let seen = self.compare(&[
            Rival::new(&plain, 64, &["create"]),
            Rival::new(&plain, 64, &["create", "--path", "/bench/orders"]),
            Rival::new(&plain, 64, &["replay"]),
            Rival::new(&plain, 16, &["batch"]),
            Rival::new(&indexed, 64, &["create"]),
            Rival::new(&logging, 64, &["create"]),
        ])?;
        errors += seen.iter().map(|seen| seen.errors).sum::<f64>();
        rows.extend(other_rows(&seen));
        let (created, ceiling) = (seen[0].rate, seen[1].rate);
        rows.push(self.raw_ceiling(created)?);
        let uncached = self.start(
            "uncached",
            &[QUIET, WITHOUT_INDEX, WITHOUT_WORKER, WITHOUT_CACHE],
        )?;
        let seen = self.compare(&[
            Rival::new(&uncached, 64, &["get", "--path", "/bench/orders"]),
            Rival::new(&uncached, 64, &["get"]),
            Rival::new(&plain, 64, &["get"]),
            Rival::new(&uncached, 64, &["list"]),
            Rival::new(&plain, 64, &["list"]),
            Rival::reads(&uncached),
            Rival::reads(&plain),
        ])?;
        errors += seen.iter().map(|seen| seen.errors).sum::<f64>();
        rows.extend(read_rows(&seen));
        rows.extend(self.fulfilment(created, ceiling)?);
        rows.push(row("errors", Goal::AtMost(0.0), errors, ""));
        for server in [plain, indexed, logging, uncached] {
            server.stop()?;
        }
        Ok(rows)
    }

    /// The medians of rivals that take turns.
    fn compare(&self, rivals: &[Rival<'_>]) -> Result<Vec<Measured>> {
        let mut rounds = vec![Vec::new(); rivals.len()];
        for _ in 0..self.extent.rounds {
            for (rival, round) in rivals.iter().zip(&mut rounds) {
                let time = format!("{}s", self.extent.seconds);
                round.push(self.measure(rival, &["--duration", &time, "--warmup", "300ms"])?);
            }
        }
        Ok(rounds
            .iter()
            .map(|rounds| Measured::median(rounds))
            .collect())
    }

    fn measure(&self, rival: &Rival<'_>, limits: &[&str]) -> Result<Measured> {
        eprintln!("… {}", rival.load.join(" "));
        let before = rival.server.usage()?;
        let output = Command::new(&self.binary)
            .args([
                "bench",
                "--json",
                "--no-env-file",
                "--url",
                &rival.server.url(),
            ])
            .args(&rival.load)
            .args(limits)
            .current_dir(&self.directory)
            .stderr(Stdio::inherit())
            .output()?;
        let after = rival.server.usage()?;
        let seen: Value =
            serde_json::from_slice(&output.stdout).context("orderd bench printed no JSON")?;
        if !output.status.success() {
            bail!("orderd bench found a problem: {seen}");
        }
        let number = |name: &str| seen[name].as_f64().unwrap_or_default();
        let statuses = seen["statuses"].as_object().into_iter().flatten();
        let refused = statuses.filter(|(status, _)| !status.starts_with('2'));
        let refused: f64 = refused.filter_map(|(_, count)| count.as_f64()).sum();
        let sent = number("requests_sent");
        Ok(Measured {
            rate: number("requests_per_s"),
            orders_rate: number("orders_per_s"),
            cpu_us: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / sent,
            written: bytes(after.written_bytes - before.written_bytes) / sent,
            p99_ms: seen["latency_us"]["p99"].as_f64().unwrap_or_default() / 1e3,
            errors: refused + number("failures"),
        })
    }

    /// What a database that holds many orders takes: on disk, in memory, and at a start.
    fn full_database(&self, what: &str, index: (&str, &str)) -> Result<Vec<Row>> {
        let orders = self.extent.orders;
        let server = self.start(&format!("full {what}"), &[QUIET, WITHOUT_WORKER, index])?;
        let batches = (orders / 100).to_string();
        let load = Rival::new(&server, 4, &["batch"]);
        self.measure(&load, &["--requests", &batches])?;
        let resident = mib(server.usage()?.resident_bytes);
        let on_disk = bytes(server.stop()?) / bytes(orders);
        let again = self.start(&format!("full {what}"), &[QUIET, WITHOUT_WORKER, index])?;
        let started = ms(again.started_in);
        let many = report::figure(bytes(orders));
        let page = pages::slowest(&again, &format!("{many} orders, {what}"))?;
        again.stop()?;

        Ok(vec![
            row(
                format!("on disk, an order of one line with its wake, {what}"),
                Goal::AtMost(280.0),
                on_disk,
                " B",
            ),
            row(
                format!("resident after {many} orders, {what}"),
                Goal::AtMost(200.0),
                resident,
                " MiB",
            ),
            row(
                format!("start to first answer, {many} orders, {what}"),
                Goal::AtMost(100.0),
                started,
                " ms",
            ),
            page,
        ])
    }

    /// One thread that inserts the same rows, without HTTP.
    fn raw_ceiling(&self, created: f64) -> Result<Row> {
        let example = [
            "run",
            "--profile",
            SHIPPED,
            "--quiet",
            "-p",
            "store",
            "--example",
            "raw_ceiling",
        ];
        let output = Command::new("cargo")
            .args(example)
            .arg("--")
            .arg(&self.directory)
            .current_dir(&self.root)
            .stderr(Stdio::inherit())
            .output()?;
        let seen: Value = serde_json::from_slice(&output.stdout)?;
        let raw = seen["orders_per_s"].as_f64().context("no orders_per_s")?;
        Ok(Row {
            what: "create : raw SQLite ceiling, 64 connections".into(),
            goal: Goal::None,
            seen: Some(100.0 * created / raw),
            unit: " %",
            note: format!("ceiling {}/s, in groups of 64", report::figure(raw)),
        })
    }
}

impl<'a> Rival<'a> {
    fn new(server: &'a Server, connections: u32, scenario: &[&str]) -> Self {
        let connections = connections.to_string();
        let head = ["--connections", &connections, "--scenario"];
        let load = head
            .iter()
            .chain(scenario)
            .map(|part| (*part).to_owned())
            .collect();
        Self { server, load }
    }

    /// Nine reads for each order placed.
    fn reads(server: &'a Server) -> Self {
        let load = ["--connections", "64", "--read-percent", "90"];
        let load = load.map(ToOwned::to_owned).to_vec();
        Self { server, load }
    }
}

impl Measured {
    /// The median of each figure; errors are summed, since none may be lost.
    fn median(rounds: &[Self]) -> Self {
        let median = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
            figures.sort_unstable_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        Self {
            rate: median(|seen| seen.rate),
            orders_rate: median(|seen| seen.orders_rate),
            cpu_us: median(|seen| seen.cpu_us),
            written: median(|seen| seen.written),
            p99_ms: median(|seen| seen.p99_ms),
            errors: rounds.iter().map(|seen| seen.errors).sum(),
        }
    }

    fn note(&self) -> String {
        let Self {
            rate,
            cpu_us,
            p99_ms,
            ..
        } = self;
        let [rate, cpu, p99] = [*rate, *cpu_us, *p99_ms].map(report::figure);
        format!("{rate}/s, p99 {p99} ms, {cpu} µs of CPU")
    }
}

fn create_rows(connections: u32, create: Measured, ceiling: Measured) -> Vec<Row> {
    let goal = match connections {
        64 => Goal::AtLeast(40.0),
        256 => Goal::AtLeast(50.0),
        _ => Goal::None,
    };
    let note = format!("{}; ceiling {}", create.note(), ceiling.note());
    let ratio = 100.0 * create.rate / ceiling.rate;
    let mut rows = vec![
        row(
            format!("durable create : HTTP ceiling, {connections} connections"),
            goal,
            ratio,
            " %",
        )
        .with(note),
    ];
    if connections == 64 {
        let cpu = row(
            "CPU of a durable create, 64 connections",
            Goal::AtMost(20.0),
            create.cpu_us,
            " µs",
        );
        let written = row(
            "written to disk for each create",
            Goal::None,
            create.written,
            " B",
        );
        rows.extend([cpu, written]);
    }
    rows
}

fn other_rows(seen: &[Measured]) -> Vec<Row> {
    let [create, ceiling, replay, batch, indexed, logging] = seen else {
        unreachable!("these six were asked for");
    };
    let percent = |one: &Measured, other: &Measured| 100.0 * one.rate / other.rate;
    let note = |measured: &Measured| measured.note();
    vec![
        row(
            "replay : HTTP ceiling",
            Goal::AtLeast(75.0),
            percent(replay, ceiling),
            " %",
        )
        .with(note(replay)),
        row(
            "orders/s in batches of 100 : single creates",
            Goal::AtLeast(3.0),
            batch.orders_rate / create.rate,
            " ×",
        )
        .with(format!("{} orders/s", report::figure(batch.orders_rate))),
        row(
            "create with the index by customer : HTTP ceiling",
            Goal::AtLeast(36.0),
            percent(indexed, ceiling),
            " %",
        )
        .with(note(indexed)),
        row(
            "create with log level `info` : with `warn`",
            Goal::None,
            percent(logging, create),
            " %",
        )
        .with(note(logging)),
    ]
}

fn read_rows(seen: &[Measured]) -> Vec<Row> {
    let [ceiling, get, hot_get, list, hot_list, reads, hot_reads] = seen else {
        unreachable!("these seven were asked for");
    };
    let get_row = |what: &str, goal: f64, seen: &Measured| {
        let percent = 100.0 * seen.rate / ceiling.rate;
        row(what, Goal::AtLeast(goal), percent, " %").with(format!(
            "{}; ceiling {}",
            seen.note(),
            ceiling.note()
        ))
    };
    let list_row = |what: &str, goal: Goal, seen: &Measured| {
        row(what, goal, seen.cpu_us / ceiling.cpu_us, " ×").with(seen.note())
    };
    let mixed_row = |what: &str, seen: &Measured| {
        row(what, Goal::None, seen.rate, " requests/s").with(seen.note())
    };
    vec![
        get_row("GET by id, not cached : GET ceiling", 70.0, get),
        get_row("GET by id, cached : GET ceiling", 90.0, hot_get),
        list_row(
            "CPU of a list of 50, not cached : of an empty GET",
            Goal::None,
            list,
        ),
        list_row(
            "CPU of a list of 50, cached : of an empty GET",
            Goal::AtMost(4.0),
            hot_list,
        ),
        mixed_row("90 % reads, 10 % creates, without the cache", reads),
        mixed_row("90 % reads, 10 % creates", hot_reads),
    ]
}

impl Row {
    fn with(mut self, note: String) -> Self {
        self.note = note;
        self
    }
}

fn row(what: impl Into<String>, goal: Goal, seen: f64, unit: &'static str) -> Row {
    Row {
        what: what.into(),
        goal,
        seen: Some(seen),
        unit,
        note: String::new(),
    }
}

/// Builds the binary that is measured, with the hidden routes that show the ceilings.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    built(root, "orderd", "orderd", &["--features", "bench"])
}

/// Builds what these arguments say; where the program `name` of `package` is.
fn built(root: &Path, package: &str, name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let shipped = ["build", "--profile", SHIPPED, "--package", package];
    let programs = compiled::programs(root, &[&shipped, arguments].concat())?;
    Ok(compiled::one(&programs, package, name)?.path.clone())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mib(count: u64) -> f64 {
    bytes(count) / MIB
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures need no more than 52 bits"
)]
fn bytes(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_kept_within_bounds() {
        let read =
            |text: &str| extent(&text.split_whitespace().map(Into::into).collect::<Vec<_>>());
        let default = Extent {
            rounds: 3,
            seconds: 2,
            orders: 200_000,
        };
        assert_eq!(read("").unwrap(), default);
        assert_eq!(
            read("--full --rounds 5").unwrap(),
            Extent {
                rounds: 5,
                orders: 1_000_000,
                ..default
            }
        );
        assert_eq!(read("--seconds 900").unwrap().seconds, 60);
        assert!(read("--rounds many").is_err() && read("fast").is_err());
    }

    #[test]
    fn the_median_counts_and_errors_add_up() {
        let rounds = [3.0, 1.0, 2.0].map(|rate| Measured {
            rate,
            errors: 1.0,
            ..Measured::default()
        });
        let median = Measured::median(&rounds);
        assert_eq!((median.rate, median.errors), (2.0, 3.0));
    }
}

//! `cargo xtask locust`: the load that users of two older systems put on them, put on orderd by
//! the same tool; beside the figures that those systems published.
//!
//! Fails where anything failed that such a load does not have to expect.

use crate::bench::server::Server;
use anyhow::{Context as _, Result, bail, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::finish;

/// A release that is known to understand `load/locustfile.py`.
const LOCUST: &str = "locust==2.47.0";
const USAGE: &str = "\
Usage: cargo xtask locust [--users N] [--spawn-rate N] [--seconds N]
  --users N       users at a time (50)
  --spawn-rate N  users that come each second (5)
  --seconds N     how long each profile runs (60)";

/// A profile: the users that are in it, and what its older system published.
struct Profile {
    name: &'static str,
    classes: &'static [&'static str],
    published: &'static str,
}

const PROFILES: [Profile; 2] = [
    Profile {
        name: "catalogue: three lists for each product made",
        classes: &["CatalogueUser"],
        published: "50 users, 32.7 requests/s, average 44 ms, p95 110 ms",
    },
    Profile {
        name: "basket: readers and writers, 90 to 10",
        classes: &["ReaderUser", "WriterUser"],
        published: "100 users, 28.5 to 29.5 requests/s; list median 310 to 420 ms, p95 2,300 to \
                    2,400 ms; POST median 510 to 560 ms, p95 2,500 to 2,700 ms",
    },
];

/// How much load.
struct Extent {
    users: u32,
    spawn_rate: u32,
    seconds: u32,
}

/// Runs both profiles, prints what they came to and writes it down.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let extent = extent(arguments)?;
    let locust = install(root)?;
    let binary = crate::bench::build(root)?;
    let directory = root.join("target/locust");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }

    let date = jiff::Timestamp::now().to_string()[..10].to_owned();
    let mut page = format!(
        "# Load by Locust of {date}\n\n{} users, {} more each second, {} s a profile; the load and \
         the server share 2 cores.\n",
        extent.users, extent.spawn_rate, extent.seconds
    );
    let mut failed = false;
    for (number, profile) in PROFILES.iter().enumerate() {
        let server = Server::start(&binary, &directory.join(number.to_string()), &[])?;
        let csv = directory.join(format!("profile-{number}"));
        let load = Load {
            locust: &locust,
            extent: &extent,
            csv: &csv,
        };
        let (rows, clean) = load.run(root, profile, &server.url())?;
        server.stop()?;
        failed |= !clean;
        page.push_str(&table(profile, &rows));
    }
    println!("{page}");
    fs::write(root.join(format!("bench/results/{date}-locust.md")), page)?;
    ensure!(
        !failed,
        "some requests failed that should not have; see above"
    );
    Ok(())
}

fn extent(arguments: &[String]) -> Result<Extent> {
    let mut extent = Extent {
        users: 50,
        spawn_rate: 5,
        seconds: 60,
    };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { bail!(USAGE) };
        let value: u32 = value.parse().context(USAGE)?;
        match name.as_str() {
            "--users" => extent.users = value.clamp(1, 1_000),
            "--spawn-rate" => extent.spawn_rate = value.clamp(1, 1_000),
            "--seconds" => extent.seconds = value.clamp(1, 3_600),
            _ => bail!(USAGE),
        }
    }
    Ok(extent)
}

/// A Locust of our own, below `target`.
fn install(root: &Path) -> Result<PathBuf> {
    let environment = root.join("target/locust-env");
    let locust = environment.join("bin/locust");
    if !locust.is_file() {
        println!("Installing {LOCUST} below target");
        let venv = ["-m", "venv"];
        finish(Command::new("python3").args(venv).arg(&environment))?;
        let pip = environment.join("bin/pip");
        finish(Command::new(pip).args(["install", "--quiet", LOCUST]))?;
    }
    Ok(locust)
}

struct Load<'a> {
    locust: &'a Path,
    extent: &'a Extent,
    csv: &'a Path,
}

impl Load<'_> {
    fn run(&self, root: &Path, profile: &Profile, url: &str) -> Result<(Vec<Row>, bool)> {
        println!("{} at {url}", profile.name);
        let Extent {
            users,
            spawn_rate,
            seconds,
        } = self.extent;
        // Its exit code says that something failed; which, the table says.
        let ended = Command::new(self.locust)
            .args(["-f", "load/locustfile.py", "--headless", "--only-summary"])
            .args(["--host", url, "--csv"])
            .arg(self.csv)
            .args(["--users", &users.to_string()])
            .args(["--spawn-rate", &spawn_rate.to_string()])
            .args(["--run-time", &format!("{seconds}s")])
            .args(profile.classes)
            .current_dir(root)
            .status()
            .context("cannot start locust")?;
        let table = format!("{}_stats.csv", self.csv.display());
        let rows: Result<Vec<Row>> = fs::read_to_string(table)?
            .lines()
            .skip(1)
            .map(Row::parse)
            .collect();
        Ok((rows?, ended.success()))
    }
}

/// One sort of request, or all of them.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    requests: u64,
    failures: u64,
    median_ms: f64,
    average_ms: f64,
    per_second: f64,
    p95_ms: f64,
}

impl Row {
    /// Reads a line of Locust's table; none of our names holds a comma.
    fn parse(line: &str) -> Result<Self> {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |index: usize| {
            cells
                .get(index)
                .with_context(|| format!("no cell in {line}"))
        };
        // A sort of request that did not come has no median.
        let number = |index: usize| -> Result<f64> { Ok(cell(index)?.parse().unwrap_or(0.0)) };
        let count = |index: usize| -> Result<u64> { Ok(cell(index)?.parse()?) };
        // Type, Name, Requests, Failures, Median, Average, Min, Max, Size, Requests/s,
        // Failures/s, 50 %, 66 %, 75 %, 80 %, 90 %, 95 %, ...
        Ok(Self {
            name: (*cell(1)?).to_owned(),
            requests: count(2)?,
            failures: count(3)?,
            median_ms: number(4)?,
            average_ms: number(5)?,
            per_second: number(9)?,
            p95_ms: number(16)?,
        })
    }
}

fn table(profile: &Profile, rows: &[Row]) -> String {
    let mut text = format!(
        "\n## {}\n\n| request | requests | failures | requests/s | median ms | average ms | p95 ms |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
        profile.name
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} | {:.0} | {:.1} | {:.0} |",
            row.name,
            row.requests,
            row.failures,
            row.per_second,
            row.median_ms,
            row.average_ms,
            row.p95_ms
        );
    }
    let _ = writeln!(text, "\nThe older system published: {}.", profile.published);
    text
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn a_line_of_locusts_table_is_read() {
        let line = "GET,GET /orders,10,1,2,3.5,1,9,100,4.25,0.0,2,3,4,5,6,7,8,9,9,9,9";
        let row = Row::parse(line).unwrap();
        assert_eq!(
            (row.name.as_str(), row.requests, row.failures),
            ("GET /orders", 10, 1)
        );
        assert_eq!(
            (row.median_ms, row.average_ms, row.per_second),
            (2.0, 3.5, 4.25)
        );
        assert!((row.p95_ms - 7.0).abs() < f64::EPSILON);
        assert!(Row::parse("GET").is_err());
    }
}

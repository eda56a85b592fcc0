//! How much a database server gains from groups: the same orders placed in groups, and each in a
//! transaction of its own over as many connections as a store has.

use super::report::{self, Goal, Row};
use super::server::processor_time;
use super::{Bench, Measured, built, row};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use xtask::servers::Database;

/// How many place orders at once; enough for two full groups and two that wait.
const CALLERS: &str = "2048";
/// The connections of a server that served us are counted once they are gone.
const GONE_AFTER: Duration = Duration::from_millis(500);

impl Bench {
    /// The gain on each server that there is here.
    pub(super) fn placing_on_servers(&self) -> Result<Vec<Row>> {
        let name = "placing_rate";
        let example = ["--example", name, "--features", "store/mutants"];
        let program = built(&self.root, "store", name, &example)?;
        let mut rows = Vec::new();
        for (name, scheme, goals) in [
            (
                "PostgreSQL",
                "postgres:",
                [Goal::AtLeast(20.0), Goal::AtLeast(15.0)],
            ),
            ("MariaDB", "mysql:", [Goal::None, Goal::None]),
        ] {
            let database = Database::like(scheme)?;
            let (mut one_by_one, mut groups) = (Vec::new(), Vec::new());
            for _ in 0..self.extent.rounds {
                one_by_one.push(self.place(&program, &database, "one-by-one")?);
                groups.push(self.place(&program, &database, "")?);
            }
            let [alone, grouped] = [one_by_one, groups].map(|rounds| Measured::median(&rounds));
            rows.extend(gain(name, goals, alone, grouped));
        }
        Ok(rows)
    }

    /// What our process and the server's take for an order, with this mutant.
    fn place(&self, program: &Path, database: &Database, mutant: &str) -> Result<Measured> {
        eprintln!("… placing on {} {mutant}", database.url());
        let before = used(database)?;
        let output = Command::new(program)
            .arg(database.url())
            .args([&self.extent.seconds.to_string(), CALLERS])
            .env("ORDERD_MUTANT", mutant)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("placing failed: {}", output.status);
        }
        sleep(GONE_AFTER);
        let cpu = used(database)?.saturating_sub(before);
        let seen: Value = serde_json::from_slice(&output.stdout)?;
        let number = |name: &str| seen[name].as_f64().context("a figure is missing");
        Ok(Measured {
            rate: number("orders_per_s")?,
            cpu_us: cpu.as_secs_f64() * 1e6 / number("orders")?,
            ..Measured::default()
        })
    }
}

fn gain(name: &str, goals: [Goal; 2], alone: Measured, grouped: Measured) -> [Row; 2] {
    let [wall, cpu] = goals;
    let note = |one: f64, other: f64, unit: &str| {
        format!(
            "{}{unit} : {}{unit}",
            report::figure(one),
            report::figure(other)
        )
    };
    [
        row(
            format!("placing on {name}, without HTTP: in groups : one transaction an order"),
            wall,
            grouped.rate / alone.rate,
            " ×",
        )
        .with(note(grouped.rate, alone.rate, "/s")),
        row(
            "CPU of both processes there: one transaction an order : in groups",
            cpu,
            alone.cpu_us / grouped.cpu_us,
            " ×",
        )
        .with(note(alone.cpu_us, grouped.cpu_us, " µs")),
    ]
}

/// The processor time of the server, and of all that we have waited for.
fn used(database: &Database) -> Result<Duration> {
    let id = database.process_id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let mut used = processor_time("self")? + processor_time(&id.to_string())?;
    for child in children.split_whitespace() {
        used += processor_time(child)?;
    }
    Ok(used)
}

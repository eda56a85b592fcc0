//! What was tested on which backend, and how it went: the table that a test run ends with.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The modules of a backend's own tests that hold it to the promises of a store, and to those of
/// one that processes share.
const CONTRACTS: [&str; 2] = ["::keeps_its_promises::", "::is_shared::"];

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    passed: u32,
    failed: u32,
}

/// What a row is about, and then each backend's count.
type Table = BTreeMap<String, BTreeMap<String, Count>>;

/// What was tested so far.
#[derive(Default)]
pub(crate) struct Promises {
    /// The files of tests that go through the front door.
    modules: BTreeSet<String>,
    contract: Table,
    service: Table,
}

impl Promises {
    /// Nothing yet; `modules`: the files of tests that go through the front door.
    pub(crate) fn new(modules: BTreeSet<String>) -> Self {
        Self {
            modules,
            ..Self::default()
        }
    }

    /// Runs tests, the front door's with orders in `backend`; shows what they print.
    ///
    /// # Errors
    /// Where one fails.
    pub(crate) fn run(&mut self, backend: &str, command: &mut Command) -> Result<()> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("it is piped")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            self.note(backend, &line);
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "tests failed, with orders in {backend}: {status}"
        );
        Ok(())
    }

    /// Takes down how a test went, where a line says so.
    pub(crate) fn note(&mut self, backend: &str, line: &str) {
        let Some((name, result)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            return;
        };
        let contract = CONTRACTS.iter().find_map(|it| name.split_once(it));
        let (table, row, backend) = match (contract, name.split_once("::")) {
            (Some((backend, promise)), _) => (&mut self.contract, promise, backend),
            (None, Some((module, test))) if self.modules.contains(module) => {
                // Those are about a crate's own file of that name.
                if test.contains("tests::") {
                    return;
                }
                (&mut self.service, module, backend)
            }
            _ => return,
        };
        let row = table.entry(row.replace('_', " ")).or_default();
        let count = row.entry(backend.to_owned()).or_default();
        match result {
            "ok" => count.passed += 1,
            "ignored" => {}
            _ => count.failed += 1,
        }
    }

    /// A row for every promise and for every file of tests, a column for every backend.
    pub(crate) fn table(&self, backends: &[&str]) -> String {
        let mut text = String::new();
        for (title, table) in [
            ("promise of a store", &self.contract),
            ("through the front door", &self.service),
        ] {
            let heads = backends.iter().map(|it| (*it).to_owned());
            text += &line(title, heads);
            for (row, counts) in table {
                let cells = backends.iter().map(|it| cell(counts.get(*it)));
                text += &line(row, cells);
            }
            text += "\n";
        }
        text
    }
}

fn line(title: &str, cells: impl Iterator<Item = String>) -> String {
    let row = cells.fold(format!("{title:<78}"), |row, cell| {
        row + &format!("{cell:>12}")
    });
    row + "\n"
}

fn cell(count: Option<&Count>) -> String {
    match count {
        None => "–".to_owned(),
        Some(Count { passed, failed: 0 }) => format!("{passed} ok"),
        Some(Count { failed, .. }) => format!("{failed} FAILED"),
    }
}

#[cfg(test)]
mod tests;

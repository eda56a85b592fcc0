//! The servers that tests run against, each a program that a test starts for itself: found on this
//! machine, or installed where that is possible.

use crate::ci::finish;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// A server that some tests need.
struct Server {
    program: &'static str,
    /// Debian's package that has it.
    package: &'static str,
    /// Where a developer says which one to take.
    chosen_by: &'static str,
    /// Where the tests look for it.
    variable: &'static str,
}

const SERVERS: [Server; 1] = [Server {
    program: "redis-server",
    package: "redis-server",
    chosen_by: "TEST_REDIS_SERVER",
    variable: "ORDERD_TEST_REDIS_SERVER",
}];

/// Whether a test may be skipped for want of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It fails instead.
    All,
    /// It may, and says so.
    WhatIsThere,
}

/// Gives a test run its servers: variables of its environment.
///
/// # Errors
/// Where one is missing and all were asked for.
pub(crate) fn variables(extent: Extent) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut variables = Vec::new();
    for server in &SERVERS {
        match server.find() {
            Some(path) => variables.push((server.variable, path)),
            None if extent == Extent::All => bail!(
                "there is no {}, and it cannot be installed here\nFix: install it, as root, or \
                 name one in {}",
                server.program,
                server.chosen_by
            ),
            None => println!(
                "SKIPPED: the tests that need {}. Install it, or name one in {}; with --all this \
                 would be a failure.",
                server.program, server.chosen_by
            ),
        }
    }
    if extent == Extent::All {
        variables.push(("ORDERD_TEST_ALL", PathBuf::from("1")));
    }
    Ok(variables)
}

impl Server {
    fn find(&self) -> Option<PathBuf> {
        let chosen = std::env::var_os(self.chosen_by).map(PathBuf::from);
        chosen.or_else(|| self.on_path()).or_else(|| {
            self.install()
                .inspect_err(|error| println!("Cannot install {}: {error:#}", self.package))
                .ok()
        })
    }

    fn on_path(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|directory| directory.join(self.program))
            .find(|program| program.is_file())
    }

    fn install(&self) -> Result<PathBuf> {
        println!("Installing {} for the tests", self.package);
        apt(&["update", "-qq"])?;
        apt(&[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            self.package,
        ])?;
        self.on_path()
            .context("it is installed, but not on the PATH")
    }
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Tests start their own: in this run level the package's service is not started.
        .env("RUNLEVEL", "1");
    finish(&mut command)
}

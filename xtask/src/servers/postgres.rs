//! A PostgreSQL for a test run.

use super::daemon::{Daemon, directory, free_port, plain};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Whom it runs as where we are root.
const ACCOUNT: &str = "postgres";

/// A running PostgreSQL, empty; stopped when dropped.
pub(super) struct Postgres {
    port: u16,
    pub(super) daemon: Daemon,
}

impl Postgres {
    /// Starts the one whose `postgres` is at `program`; the programs beside it are its own.
    ///
    /// # Errors
    /// Where it does not start.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let programs = program.parent().context("it is in a directory")?;
        let directory = directory(ACCOUNT)?;
        let data = directory.path().join("data");
        let made = plain(&programs.join("initdb"), ACCOUNT)
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username=orderd",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ])
            // Text that people sort is not sorted byte by byte here: what has to be says so.
            .args([
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en-US",
            ])
            .output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = free_port()?;
        let mut command = plain(program, ACCOUNT);
        command
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "max_connections=500"]);
        // Its first line says which process, the eighth whether it is ready, as `pg_ctl` waits.
        let status = data.join("postmaster.pid");
        let is_ready = move |id: u32| {
            let lines = fs::read_to_string(&status).unwrap_or_default();
            let lines: Vec<&str> = lines.lines().map(str::trim).collect();
            lines.first() == Some(&&*id.to_string()) && lines.get(7) == Some(&"ready")
        };
        Ok(Self {
            port,
            daemon: Daemon::start(command, directory, "-QUIT", is_ready)?,
        })
    }

    /// A database of it, for its superuser.
    pub(super) fn url(&self) -> String {
        format!("postgres://orderd@127.0.0.1:{}/postgres", self.port)
    }
}

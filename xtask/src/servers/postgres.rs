//! A PostgreSQL for a test run: empty, on a free port, in a directory that goes with it.

use crate::ci::finish;
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(30);
/// Whom it runs as where we are root: it refuses to be root itself.
const ACCOUNT: &str = "postgres";

/// A running PostgreSQL; stopped when dropped.
pub(crate) struct Postgres {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Postgres {
    /// Starts the one whose `postgres` is at `program`; the programs beside it are its own.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let programs = program.parent().context("it is in a directory")?;
        let directory = tempfile::tempdir()?;
        if is_root() {
            finish(Command::new("chown").arg(ACCOUNT).arg(directory.path()))?;
        }
        let data = directory.path().join("data");
        let made = plain(&programs.join("initdb"))
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
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = plain(program)
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "max_connections=500"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self {
            child,
            port,
            _directory: directory,
        };
        server.wait_until_ready(&data.join("postmaster.pid"))?;
        Ok(server)
    }

    /// Where it is, for its superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://orderd@127.0.0.1:{}/postgres", self.port)
    }

    /// Until its eighth line says so, as `pg_ctl` waits.
    fn wait_until_ready(&mut self, status: &Path) -> Result<()> {
        let begun = Instant::now();
        let is_ready = || {
            let lines = fs::read_to_string(status).unwrap_or_default();
            lines
                .lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
        };
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("PostgreSQL ended at its start ({status})");
            }
            if begun.elapsed() > START_MAX {
                bail!("PostgreSQL was not ready within {START_MAX:?}");
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Postgres {
    /// At once: nothing of it is needed any more.
    fn drop(&mut self) {
        let stopped = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        if stopped.is_err() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// A program that does not run as root.
fn plain(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            &format!("--reuid={ACCOUNT}"),
            &format!("--regid={ACCOUNT}"),
            "--clear-groups",
        ])
        .arg(program)
        // The working directory may be one that it must not enter.
        .current_dir("/");
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

//! A server of a test run: on a free port, with a directory that goes with it.

use crate::ci::finish;
use anyhow::{Result, bail};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(30);

/// A running server; stopped when dropped.
pub(super) struct Daemon {
    child: Child,
    /// The signal that ends it at once: nothing of it is needed any more.
    ended_by: &'static str,
    _directory: TempDir,
}

impl Daemon {
    /// Starts `command`, which keeps its data in `directory`, and waits until it is ready.
    ///
    /// # Errors
    /// Where it ends, or does not become ready.
    pub(super) fn start(
        mut command: Command,
        directory: TempDir,
        ended_by: &'static str,
        is_ready: impl Fn() -> bool,
    ) -> Result<Self> {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut daemon = Self {
            child,
            ended_by,
            _directory: directory,
        };
        let begun = Instant::now();
        while !is_ready() {
            if let Some(status) = daemon.child.try_wait()? {
                bail!("it ended at its start ({status})");
            }
            if begun.elapsed() > START_MAX {
                bail!("it was not ready within {START_MAX:?}");
            }
            sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let stopped = Command::new("kill")
            .args([self.ended_by, &self.child.id().to_string()])
            .status();
        if stopped.is_err() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// A directory that `account` may write in, where we are root and a server refuses to be.
pub(super) fn directory(account: &str) -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    if is_root() {
        finish(Command::new("chown").arg(account).arg(directory.path()))?;
    }
    Ok(directory)
}

/// A program that runs as `account` where we are root.
pub(super) fn plain(program: &Path, account: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            &format!("--reuid={account}"),
            &format!("--regid={account}"),
            "--clear-groups",
        ])
        .arg(program)
        // The working directory may be one that it must not enter.
        .current_dir("/");
    command
}

/// A port that nobody listens on.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

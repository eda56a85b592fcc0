//! A server of a test run: on a free port, with a directory that goes with it.

use crate::finish;
use anyhow::{Result, bail};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Beside tests and compilers even a quick start may take long.
const START_MAX: Duration = Duration::from_mins(3);

/// A running server; stopped when dropped.
pub struct Daemon {
    command: Command,
    child: Child,
    is_ready: Box<dyn Fn(u32) -> bool>,
    /// The signal that ends it at once, with nothing tidied up.
    ended_by: &'static str,
    _directory: TempDir,
}

impl Daemon {
    /// Starts `command`, which keeps its data in `directory`, and waits until it is ready, as the
    /// process with this id is.
    ///
    /// # Errors
    /// Where it ends, or does not become ready.
    pub fn start(
        mut command: Command,
        directory: TempDir,
        ended_by: &'static str,
        is_ready: impl Fn(u32) -> bool + 'static,
    ) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = Self {
            child: command.spawn()?,
            command,
            is_ready: Box::new(is_ready),
            ended_by,
            _directory: directory,
        };
        daemon.wait_until_ready()?;
        Ok(daemon)
    }

    /// The id of the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, and starts it again on what it has left.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.end();
        self.child = self.command.spawn()?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !(self.is_ready)(self.child.id()) {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at its start ({status})");
            }
            if begun.elapsed() > START_MAX {
                bail!("it was not ready within {START_MAX:?}");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it at once.
    pub fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let ended = Command::new("kill")
            .args([self.ended_by, &self.child.id().to_string()])
            .status();
        if ended.is_err() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
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
///
/// # Errors
/// Where there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

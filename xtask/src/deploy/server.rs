//! A server of ours, to put something in front of.

use anyhow::Result;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use xtask::servers::daemon::{Daemon, free_port};

/// A running orderd, in a directory of its own and with faults on demand; killed when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) daemon: Daemon,
}

impl Server {
    /// Starts a command of it that listens, on a free port.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn start(orderd: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_at(free_port()?, orderd, arguments, &[])
    }

    /// The same at a port, with more settings.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_at(
        port: u16,
        orderd: &Path,
        arguments: &[&str],
        settings: &[(String, String)],
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(orderd);
        command
            .args(arguments)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("ORDERD_FAULTS_ENABLED", "true")
            .envs(settings.iter().cloned())
            .current_dir(directory.path());
        let is_ready = move |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        Ok(Self {
            port,
            daemon: Daemon::start(command, directory, "-KILL", is_ready)?,
        })
    }
}

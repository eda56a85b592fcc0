//! A server to put something in front of.

use anyhow::Result;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use xtask::servers::daemon::{Daemon, free_port};

/// A running orderd on a file of its own, with faults on demand; killed when dropped.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) daemon: Daemon,
}

impl Server {
    /// Starts one, with more settings.
    ///
    /// # Errors
    /// Where it does not start.
    pub(super) fn start(orderd: &Path, settings: &[(&str, String)]) -> Result<Self> {
        let port = free_port()?;
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(orderd);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("ORDERD_FAULTS_ENABLED", "true")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .current_dir(directory.path());
        let is_ready = move |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        Ok(Self {
            port,
            daemon: Daemon::start(command, directory, "-KILL", is_ready)?,
        })
    }
}

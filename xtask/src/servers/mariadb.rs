//! A MariaDB for a test run.

use super::daemon::{Daemon, directory, free_port, plain};
use anyhow::{Result, bail};
use std::net::TcpStream;
use std::path::Path;

/// Whom it runs as where we are root.
const ACCOUNT: &str = "mysql";

/// A running MariaDB, empty; stopped when dropped.
pub(super) struct Mariadb {
    port: u16,
    pub(super) daemon: Daemon,
}

impl Mariadb {
    /// Starts the one whose `mariadbd` is at `program`.
    ///
    /// # Errors
    /// Where it does not start.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let directory = directory(ACCOUNT)?;
        let data = directory.path().join("data");
        let made = plain(Path::new("mariadb-install-db"), ACCOUNT)
            .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
            .arg("--auth-root-authentication-method=normal")
            .arg(format!("--datadir={}", data.display()))
            .output()?;
        if !made.status.success() {
            let said = [made.stdout, made.stderr].concat();
            bail!("mariadb-install-db: {}", String::from_utf8_lossy(&said));
        }
        let port = free_port()?;
        let mut command = plain(program, ACCOUNT);
        command
            .args([
                "--no-defaults",
                "--skip-name-resolve",
                "--max-connections=500",
            ])
            // Compares text as people do: what has to be compared byte by byte says so.
            .args([
                "--character-set-server=utf8mb4",
                "--collation-server=utf8mb4_general_ci",
            ])
            .arg(format!("--datadir={}", data.display()))
            // At its start it removes what looks like a temporary table of its own, and another
            // server's looks the same.
            .arg(format!("--tmpdir={}", directory.path().display()))
            .arg(format!(
                "--socket={}",
                directory.path().join("socket").display()
            ))
            .arg(format!("--port={port}"))
            .arg("--bind-address=127.0.0.1");
        let is_ready = move |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        Ok(Self {
            port,
            daemon: Daemon::start(command, directory, "-KILL", is_ready)?,
        })
    }

    /// The server, for its superuser.
    pub(super) fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }
}

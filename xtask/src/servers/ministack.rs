//! An emulator of AWS for a test run, `MiniStack`, from the Python Package Index.

use super::daemon::{Daemon, free_port};
use crate::finish;
use anyhow::{Context, Result};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that the tests were tried with.
const PACKAGE: &str = "ministack==1.5.33";
/// What its clients are told beside where it is. It believes whoever asks.
const CREDENTIALS: [(&str, &str); 4] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// A running emulator, empty; stopped when dropped.
pub(super) struct Ministack {
    port: u16,
    _daemon: Daemon,
}

impl Ministack {
    /// Starts the one at `program`.
    ///
    /// # Errors
    /// Where it does not start.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let port = free_port()?;
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .current_dir(directory.path());
        let daemon = Daemon::start(command, directory, "-TERM", move |_| is_ready(port))?;
        Ok(Self {
            port,
            _daemon: daemon,
        })
    }

    /// How clients find it: variables of their environment.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let credentials = CREDENTIALS.map(|(name, value)| (name, value.to_owned()));
        [("AWS_ENDPOINT_URL", endpoint)]
            .into_iter()
            .chain(credentials)
            .collect()
    }
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| {
        answer
            .lines()
            .next()
            .is_some_and(|line| line.contains(" 200"))
    })
}

/// Installs it into a virtual environment of its own; where it is then.
///
/// # Errors
/// Where there is no Python with `venv`, or the package cannot be had.
pub(super) fn install() -> Result<PathBuf> {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ministack");
    let program = environment.join("bin/ministack");
    let installed = environment.join(PACKAGE);
    if !installed.exists() {
        println!("Installing {PACKAGE} for the tests");
        let mut venv = Command::new("python3");
        finish(venv.args(["-m", "venv", "--clear"]).arg(&environment))
            .context("python3 -m venv")?;
        let mut pip = Command::new(environment.join("bin/pip"));
        finish(pip.args(["--quiet", "--disable-pip-version-check", "install", PACKAGE]))?;
        std::fs::write(installed, "")?;
    }
    Ok(program)
}

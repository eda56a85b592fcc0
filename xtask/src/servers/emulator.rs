//! Emulators of AWS for a test run, from the Python Package Index.

use super::daemon::{Daemon, free_port};
use crate::tools::Venv;
use anyhow::Result;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

/// An emulator, in the version that the tests were tried with.
pub struct Emulator {
    venv: Venv,
    program: &'static str,
    /// Where it says that it is there.
    health: &'static str,
}

/// The first choice: it does what all the tests need.
pub const MINISTACK: Emulator = Emulator {
    venv: Venv {
        name: "ministack",
        packages: &["ministack==1.5.33"],
    },
    program: "ministack",
    health: "/_ministack/health",
};
/// A second opinion: written by others, slower, without functions.
pub const MOTO: Emulator = Emulator {
    venv: Venv {
        name: "moto",
        packages: &["moto[all,server]==5.2.5"],
    },
    program: "moto_server",
    health: "/moto-api/",
};
/// What their clients are told beside where they are. They believe whoever asks.
const CREDENTIALS: [(&str, &str); 4] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// A running emulator, empty; stopped when dropped.
pub struct Running {
    port: u16,
    _daemon: Daemon,
}

impl Emulator {
    /// Installs it, if it is not there, into a virtual environment of its own, and starts it.
    ///
    /// # Errors
    /// Where there is no Python with `venv`, the package cannot be had, or it does not start.
    pub fn start(&self) -> Result<Running> {
        let program = self.venv.program(self.program)?;
        let port = free_port()?;
        let directory = tempfile::tempdir()?;
        // They keep connections that their clients have closed: more than the usual limit.
        let mut command = Command::new("sh");
        let exec = "ulimit -n \"$(ulimit -Hn)\"; exec \"$@\"";
        command.args(["-c", exec, "sh"]).arg(program);
        if self.program == MOTO.program {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        }
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            // Policies that AWS makes are there, as they are on AWS.
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .current_dir(directory.path());
        let health = self.health;
        let daemon = Daemon::start(command, directory, "-KILL", move |_| is_ready(port, health))?;
        Ok(Running {
            port,
            _daemon: daemon,
        })
    }
}

impl Running {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How clients find it: variables of their environment.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let credentials = CREDENTIALS.map(|(name, value)| (name, value.to_owned()));
        [("AWS_ENDPOINT_URL", self.url())]
            .into_iter()
            .chain(credentials)
            .collect()
    }
}

fn is_ready(port: u16, health: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET {health} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
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

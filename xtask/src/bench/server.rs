//! A server under measurement: started on a free port with a database of its own, watched through
//! `/proc`, and stopped as an operator would.

use anyhow::{Context as _, bail};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_mins(1);

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: String,
    directory: PathBuf,
    /// From its start to its first answer.
    pub(crate) started_in: Duration,
}

/// What a server has used since it started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) written_bytes: u64,
    pub(crate) resident_bytes: u64,
}

impl Server {
    /// Starts a server on the database in `directory`, which is made where it is not there.
    pub(crate) fn start(
        binary: &Path,
        directory: &Path,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let address = free_address()?;
        let database = Self::database(directory);
        let mut command = Command::new(binary);
        command
            .args([
                "serve",
                "--listen",
                &address,
                "--database-url",
                &database,
                "--no-env-file",
            ])
            .current_dir(directory)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.join("log"))?);
        let began = Instant::now();
        let child = command.spawn().context("cannot start the server")?;
        let directory = directory.to_owned();
        let mut server = Self {
            child,
            address,
            directory,
            started_in: Duration::ZERO,
        };
        server.wait_until_ready(began)?;
        server.started_in = began.elapsed();
        Ok(server)
    }

    fn wait_until_ready(&mut self, began: Instant) -> anyhow::Result<()> {
        while !is_ready(&self.address) {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.directory.join("log"))?;
                bail!("the server ended at its start ({status}):\n{log}");
            }
            if began.elapsed() > START_MAX {
                bail!("the server was not ready within {START_MAX:?}");
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The URL of the database in `directory`.
    pub(crate) fn database(directory: &Path) -> String {
        format!("sqlite:{}", directory.join("orders.db").display())
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it answers to a GET, head and all.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        Ok(get(&self.address, path)?)
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let read = |name| fs::read_to_string(format!("/proc/{}/{name}", self.child.id()));
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
                .with_context(|| format!("/proc has no {name}"))
        };
        Ok(Usage {
            cpu: cpu_time(&read("stat")?, 2)?,
            written_bytes: field(&read("io")?, "write_bytes:")?,
            resident_bytes: field(&read("status")?, "VmRSS:")? * 1024,
        })
    }

    /// Stops it as an operator does, and gives back the bytes that its database takes.
    pub(crate) fn stop(mut self) -> anyhow::Result<u64> {
        Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if began.elapsed() > STOP_MAX {
                bail!("the server did not stop within {STOP_MAX:?}");
            }
            sleep(Duration::from_millis(5));
        };
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(database_bytes(&self.directory))
    }
}

impl Drop for Server {
    /// Where the measuring failed, nothing is to be left running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn is_ready(address: &str) -> bool {
    get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The whole answer to a GET.
fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The processor time of a process and of those that it has waited for.
pub(super) fn processor_time(id: &str) -> anyhow::Result<Duration> {
    cpu_time(&fs::read_to_string(format!("/proc/{id}/stat"))?, 4)
}

/// User and system time out of `/proc/PID/stat`, the first two fields of it or, with the processes
/// that it has waited for, four; Linux counts them in hundredths of a second.
fn cpu_time(stat: &str, fields: usize) -> anyhow::Result<Duration> {
    // The second field is a name that may hold blanks; behind its bracket stands field 3.
    let (_, after) = stat
        .rsplit_once(')')
        .context("/proc/PID/stat has no name")?;
    let ticks = after
        .split_whitespace()
        .skip(11)
        .take(fields)
        .map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// The database and its log; the books of the simulated payments are somebody else's.
fn database_bytes(directory: &Path) -> u64 {
    let files = ["orders.db", "orders.db-wal"].map(|name| fs::metadata(directory.join(name)));
    files.iter().flatten().map(fs::Metadata::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_blanks() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0";
        assert_eq!(cpu_time(stat, 2).unwrap(), Duration::from_secs(2));
        assert_eq!(cpu_time(stat, 4).unwrap(), Duration::from_secs(2));
    }
}

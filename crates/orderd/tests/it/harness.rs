//! What the harnesses share: the real binary as a child, and the checker that goes through all
//! that its clients were told.

use crate::backend;
use crate::load::{Client, Entry};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_orderd");

/// A start that takes longer than this has failed.
const START_MAX: Duration = Duration::from_mins(1);

/// Where a server keeps its file, and how it is started, as often as it is.
pub(crate) struct Site {
    root: TempDir,
    /// The directory of the database.
    pub(crate) live: PathBuf,
    /// Of the database, as the server is told.
    pub(crate) url: String,
    address: SocketAddr,
    /// More of the environment of the server.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    mutant: Option<&'static str>,
}

impl Site {
    /// A new place on the disk that holds the build, since others may be memory only.
    pub(crate) fn new(mutant: Option<&'static str>) -> Self {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let live = root.path().join("live");
        fs::create_dir(&live).unwrap();
        let url = backend::fresh(&live.join("orders.db"));
        Self {
            root,
            live,
            url,
            address: free_address(),
            environment: Vec::new(),
            mutant,
        }
    }

    /// A directory beside the database, made when it is first asked for.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn start(&self) -> io::Result<Server> {
        self.start_at(self.address, &[])
    }

    /// Starts a server at an address, with more arguments, and waits until it is ready.
    pub(crate) fn start_at(&self, address: SocketAddr, more: &[&str]) -> io::Result<Server> {
        let started = Instant::now();
        let mut command = self.command("serve");
        command.args(["--listen", &address.to_string()]).args(more);
        let mut server = Server {
            child: self.spawn(command)?,
            address,
            ready_after: Duration::ZERO,
        };
        server.wait_until_ready(started)?;
        Ok(server)
    }

    /// Starts a worker; it listens nowhere.
    pub(crate) fn start_worker(&self) -> Server {
        self.start_worker_with(&[])
    }

    /// Starts a worker with more of an environment; it listens nowhere.
    pub(crate) fn start_worker_with(&self, environment: &[(&str, &str)]) -> Server {
        let mut command = self.command("worker");
        command.envs(environment.iter().copied());
        Server {
            child: self.spawn(command).unwrap(),
            address: SocketAddr::from(([0; 4], 0)),
            ready_after: Duration::ZERO,
        }
    }

    fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        command.stdout(Stdio::null()).stderr(log);
        if let Some(mutant) = self.mutant {
            command.env("ORDERD_MUTANT", mutant);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.spawn()
    }

    /// Starts the simulated services.
    pub(crate) fn providers(&self, address: SocketAddr, books: &Path) -> Server {
        let mut command = self.command("providers");
        command
            .args(["--listen", &address.to_string(), "--books"])
            .arg(books)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let server = Server {
            child: command.spawn().unwrap(),
            address,
            ready_after: Duration::ZERO,
        };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < START_MAX, "the providers do not start");
            thread::sleep(Duration::from_millis(5)); // a poll, not a guess
        }
        server
    }

    /// Whether `orderd verify`, run beside the server, finds everything in order.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let output = self.command("verify").arg("--json").output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!(
            "verify: {}: {}",
            output.status,
            String::from_utf8_lossy(&said)
        ))
    }

    /// What a command on this database says.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments[0]);
        command.args(&arguments[1..]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().unwrap()
    }

    /// The orders that an export tells of.
    pub(crate) fn orders(&self) -> Vec<Value> {
        let output = self.command("export").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// The number that a statement yields.
    pub(crate) fn count(&self, sql: &str) -> u64 {
        backend::count(&self.url, sql)
    }

    /// The last lines that the server logged.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// How often it was logged.
    pub(crate) fn said(&self, what: &str) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.matches(what).count()
    }

    fn log(&self) -> PathBuf {
        self.root.path().join("server.log")
    }

    /// `orderd <verb>` on this database, with nothing of our own environment.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.arg(verb).env_clear().current_dir(self.root.path());
        command.env("ORDERD_DATABASE_URL", &self.url);
        command.envs(backend::environment());
        if !backend::is_file() {
            command.env("ORDERD_SIMULATED_BOOKS", self.live.join("books"));
        }
        let books = self
            .environment
            .iter()
            .find(|it| it.0 == "ORDERD_SIMULATED_BOOKS");
        command.envs(books.map(|(name, path)| (name, path)));
        command.env("ORDERD_FAULTS_ENABLED", "true");
        command
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first word that it is ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    fn wait_until_ready(&mut self, started: Instant) -> io::Result<()> {
        while !self.is_ready() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!(
                    "orderd ended at its start: {status}"
                )));
            }
            if started.elapsed() > START_MAX {
                return Err(io::Error::other("orderd does not become ready"));
            }
            thread::sleep(Duration::from_millis(1)); // a poll, not a guess
        }
        self.ready_after = started.elapsed();
        Ok(())
    }

    /// Whether it runs no more.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn is_ready(&self) -> bool {
        let answer = Client::connect(self.address).and_then(|mut client| client.get("/readyz"));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Asks it to stop; how long that took, and whether it ended well.
    pub(crate) fn stop(mut self) -> (Duration, bool) {
        let begun = Instant::now();
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        (begun.elapsed(), status.success())
    }

    /// kill -9: nothing of it runs afterwards.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ended_before = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What was found wrong, each 0 on a sound server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Acknowledged orders that are gone.
    pub(crate) lost: u64,
    /// Orders beyond one a key.
    pub(crate) duplicated: u64,
    /// Answers that differ from the acknowledged ones.
    pub(crate) mismatched: u64,
    /// What is wrong with the file itself, in words.
    pub(crate) unsound: Vec<String>,
}

impl Tally {
    /// Violations of any kind.
    pub(crate) fn violations(&self) -> u64 {
        self.lost + self.duplicated + self.mismatched + self.unsound.len() as u64
    }

    /// Asks for every one of `entries` again. What was unknown is known afterwards.
    pub(crate) fn ask_again<'a>(
        &mut self,
        address: SocketAddr,
        entries: impl IntoIterator<Item = &'a mut Entry>,
    ) -> io::Result<()> {
        let mut client = Client::connect(address)?;
        for entry in entries {
            if let Some(location) = entry.location() {
                self.lost += u64::from(client.get(&location)?.status != 200);
            }
            entry.learn(client.place(&entry.placing)?);
            self.mismatched += std::mem::take(&mut entry.mismatches);
        }
        Ok(())
    }

    /// Counts the rows of a store whose keys are all known: one order, one ledger entry and one
    /// record each.
    pub(crate) fn count(&mut self, site: &Site, keys: u64) {
        if backend::is_dynamodb() {
            // That each has an entry and a record is for `verify` to see.
            let orders = site.orders().len() as u64;
            self.lost += keys.saturating_sub(orders);
            self.duplicated += orders.saturating_sub(keys);
            return;
        }
        let orders = site.count("select count(*) from orders");
        let entries = site.count("select count(*) from ledger");
        let records = site.count("select count(*) from idempotency_records");
        self.lost += keys.saturating_sub(orders);
        self.duplicated += orders.saturating_sub(keys);
        if (entries, records) != (orders, keys) {
            let what = format!("{orders} orders, {entries} ledger entries, {records} records");
            self.unsound.push(format!("{keys} keys, but {what}"));
        }
    }

    /// Takes down what `orderd verify` finds.
    pub(crate) fn verify(&mut self, site: &Site) {
        self.unsound.extend(site.verify().err());
    }

    /// Says on the terminal how it went: one line of JSON.
    pub(crate) fn report(&self, harness: &str, site: &Site, figures: &Value) {
        let mut line = json!({
            "harness": harness,
            "mutant": site.mutant,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "mismatched": self.mismatched,
            "unsound": self.unsound,
        });
        for (name, figure) in figures.as_object().into_iter().flatten() {
            line[name] = figure.clone();
        }
        say(&line.to_string());
    }
}

/// Waits until no other harness runs: they measure time, and two cores are soon busy.
pub(crate) fn alone() -> File {
    let file = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("harness.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// The seed of this run: `ORDERD_HARNESS_SEED`, else a new one.
pub(crate) fn seed() -> u64 {
    setting("ORDERD_HARNESS_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"))
}

/// A number from the environment.
pub(crate) fn setting(name: &str) -> Option<u64> {
    text_setting(name)?.parse().ok()
}

/// A text from the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a harness has no other configuration"
)]
pub(crate) fn text_setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Writes a line past the capture of the test runner.
pub(crate) fn say(line: &str) {
    let _closed = writeln!(io::stderr().lock(), "{line}");
}

/// An address nobody listens on, below the ports that the system hands to clients.
pub(crate) fn free_address() -> SocketAddr {
    let [low, high, ..] = RandomState::new().hash_one("port").to_le_bytes();
    let first = usize::from(u16::from_le_bytes([low, high]) % 10_000);
    (20_000..30_000)
        .cycle()
        .skip(first)
        .take(10_000)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("one of ten thousand ports is free")
}

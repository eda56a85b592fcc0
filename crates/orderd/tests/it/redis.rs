//! A Redis of one test's own: started, killed, stopped and brought back as the test likes.

use crate::harness::{free_address, say, text_setting};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A start that takes longer than this has failed.
const START_MAX: Duration = Duration::from_secs(10);

/// A running Redis; killed when dropped.
pub(crate) struct Redis {
    server: String,
    directory: TempDir,
    address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts one; `None` where this machine has none, which is said.
    ///
    /// # Panics
    /// Where there is none and all tests were asked for.
    pub(crate) fn start() -> Option<Self> {
        let Some(server) = text_setting("ORDERD_TEST_REDIS_SERVER") else {
            assert!(
                text_setting("ORDERD_TEST_ALL").is_none(),
                "all tests were asked for, and there is no redis-server"
            );
            say("SKIPPED: a test that needs a redis-server; `cargo xtask test` looks for one");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let address = free_address();
        let child = spawn(&server, &directory, address);
        let redis = Self {
            server,
            directory,
            address,
            child,
        };
        redis.wait_until_ready();
        Some(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Sends one command: its answer in words, several of them a line each.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        self.try_command(words, Duration::from_secs(5)).unwrap()
    }

    pub(crate) fn try_command(&self, words: &[&str], patience: Duration) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(patience))?;
        write!(stream, "*{}\r\n", words.len())?;
        for word in words {
            write!(stream, "${}\r\n{word}\r\n", word.len())?;
        }
        answer(&mut BufReader::new(stream))
    }

    pub(crate) fn flush(&self) {
        self.command(&["FLUSHALL"]);
    }

    pub(crate) fn kill(&mut self) {
        let _ended_before = self.child.kill();
        let _status = self.child.wait();
    }

    /// Starts it again after [`Redis::kill`], where it was.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.server, &self.directory, self.address);
        self.wait_until_ready();
    }

    /// Lets it hang: it takes connections and answers nobody.
    pub(crate) fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    fn wait_until_ready(&self) {
        let started = Instant::now();
        while self.try_command(&["PING"], START_MAX).ok().as_deref() != Some("PONG") {
            assert!(started.elapsed() < START_MAX, "Redis does not answer");
            thread::sleep(Duration::from_millis(1)); // a poll, not a guess
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(server: &str, directory: &TempDir, address: SocketAddr) -> Child {
    let port = address.port().to_string();
    Command::new(server)
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "no", "--dir"])
        .arg(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {server}: {error}"))
}

/// Reads one answer (RESP2).
fn answer(from: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.trim_end().split_at(1);
    let count = rest.parse::<i64>().unwrap_or(-1);
    match kind {
        "$" if count >= 0 => {
            let mut text = vec![0; usize::try_from(count).unwrap() + 2];
            from.read_exact(&mut text)?;
            text.truncate(text.len() - 2);
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        "*" => {
            let parts: io::Result<Vec<String>> = (0..count).map(|_| answer(from)).collect();
            Ok(parts?.join("\n"))
        }
        "$" => Ok(String::new()),
        _ => Ok(rest.to_owned()),
    }
}

#[test]
fn a_redis_of_our_own_comes_back_empty_and_hangs_when_it_is_told_to() {
    let Some(mut redis) = Redis::start() else {
        return;
    };
    redis.command(&["SET", "a", "1"]);
    assert_eq!(redis.command(&["KEYS", "*"]), "a");
    redis.kill();
    redis.restart();
    assert_eq!(redis.command(&["KEYS", "*"]), "");
    redis.stop();
    let patience = Duration::from_millis(50);
    assert!(redis.try_command(&["PING"], patience).is_err());
    redis.go_on();
    assert_eq!(redis.command(&["PING"]), "PONG");
}

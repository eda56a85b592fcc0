//! The binary under a supervisor that hands it a socket and listens to what it says, as systemd does,
//! and behind a load balancer that needs a moment to notice that it ends.

use crate::process::{exchange, place};
use rustix::io::{FdFlags, fcntl_setfd};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
const READY: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A server, and the socket at which its supervisor listens.
struct Supervised {
    child: Child,
    notified: UnixDatagram,
    address: SocketAddr,
}

impl Supervised {
    /// Starts it with a socket at the address as its third file.
    fn start(directory: &Path, listen: &str, settings: &[(&str, &str)]) -> Self {
        let path = directory.join("notify");
        let notified = UnixDatagram::bind(&path).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        let socket = TcpListener::bind(listen).unwrap();
        fcntl_setfd(&socket, FdFlags::empty()).unwrap();
        let file = socket.as_raw_fd().to_string();
        let child = Command::new("bash")
            .args(["-c", "LISTEN_PID=$$ exec \"$0\" serve 3<&\"$1\""])
            .args([env!("CARGO_BIN_EXE_orderd"), &file])
            .env("LISTEN_FDS", "1")
            .env("NOTIFY_SOCKET", &path)
            .envs(settings.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            notified,
            address: socket.local_addr().unwrap(),
        }
    }

    /// Waits until it says this line.
    fn says(&self, line: &str) {
        let mut message = [0; 1024];
        loop {
            let length = self.notified.recv(&mut message).expect(line);
            let said = std::str::from_utf8(&message[..length]).unwrap();
            if said.lines().any(|it| it.starts_with(line)) {
                return;
            }
        }
    }

    /// Its answer over a connection of its own, which the request has closed.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut stream, request.as_bytes())
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn a_supervisor_hands_over_the_socket_and_is_told_of_its_life() {
    let directory = TempDir::new().unwrap();
    let watchdog = [("WATCHDOG_USEC", "200000")];
    let mut server = Supervised::start(directory.path(), "127.0.0.1:0", &watchdog);
    // The socket is there before the server: who connects early waits, and is refused by nobody.
    let placed = server.ask(&place("k"));
    assert!(placed.starts_with("HTTP/1.1 201"), "{placed}");
    server.says("READY=1");
    server.says("WATCHDOG=1");
    server.says("WATCHDOG=1");
    server.terminate();
    server.says("STOPPING=1");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_socket_that_others_reach_opens_nothing_to_strangers() {
    let directory = TempDir::new().unwrap();
    // What is configured is loopback, where strangers may write; the socket says otherwise.
    let mut server = Supervised::start(directory.path(), "0.0.0.0:0", &[]);
    assert_eq!(server.child.wait().unwrap().code(), Some(3), "it refuses");
    assert!(!directory.path().join("orderd.db").exists());
}

#[test]
fn what_comes_while_a_load_balancer_has_not_noticed_is_still_answered() {
    let directory = TempDir::new().unwrap();
    let delay = [("ORDERD_SHUTDOWN_DELAY", "6s")];
    let mut server = Supervised::start(directory.path(), "127.0.0.1:0", &delay);
    server.says("READY=1");
    assert!(server.ask(READY).starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    server.terminate();
    server.says("STOPPING=1");
    assert!(server.ask(READY).starts_with("HTTP/1.1 503"));
    let placed = server.ask(&place("k"));
    assert!(placed.starts_with("HTTP/1.1 201"), "{placed}");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() >= Duration::from_secs(6));
}

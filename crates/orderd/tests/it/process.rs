//! The binary as its operators meet it: exit codes, refusals, and an orderly end.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn orderd(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs a command that must end with `code` and say `parts`, and how to mend it, on stderr.
fn refused(command: &mut Command, code: i32, parts: &[&str]) {
    let (ended, stdout, stderr) = run(command);
    assert_eq!(ended, code, "{stderr}");
    assert_eq!(stdout, "", "stdout is for data");
    for part in parts.iter().chain(&["\nWhy: ", "\nFix: "]) {
        assert!(stderr.contains(part), "{stderr:?} should contain {part:?}");
    }
}

/// A server on a port that the system chose, known from its own first word.
struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Server {
    fn start(directory: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_at("127.0.0.1:0", directory, settings)
    }

    fn start_at(listen: &str, directory: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = orderd(directory, &["serve", "--listen", listen]);
        let mut child = command
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let serving = wait_for(&mut log, "Serving at ");
        let address = serving["url"]
            .as_str()
            .unwrap()
            .strip_prefix("http://")
            .unwrap();
        let address = address.parse().unwrap();
        Self {
            child,
            log,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The first log line whose message begins so; the log ends when the process does.
fn wait_for(log: &mut impl BufRead, beginning: &str) -> Value {
    for line in log.lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).expect("a log line is JSON");
        if line["message"]
            .as_str()
            .is_some_and(|message| message.starts_with(beginning))
        {
            return line;
        }
    }
    panic!("it never logged {beginning:?}");
}

/// Sends `request` as it is, and reads until the server closes.
pub(crate) fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A receipt under a key, after which the connection is closed.
pub(crate) fn place(key: &str) -> String {
    let body = r#"{"customer_id":"c","item_id":"i","quantity":1}"#;
    format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request that the server has begun to read, and what it still waits for.
fn under_way(server: &Server) -> (TcpStream, String) {
    let request = place("k").replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    let (head, rest) = request.split_at(request.len() - 5);
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let mut said = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut said).unwrap();
    assert!(said.starts_with(b"HTTP/1.1 100 "));
    (stream, rest.to_owned())
}

#[test]
fn a_wrong_command_line_is_usage() {
    let directory = TempDir::new().unwrap();
    for arguments in [&["surve"][..], &["serve", "--colour"], &["config"], &[]] {
        let (code, _, stderr) = run(&mut orderd(directory.path(), arguments));
        assert_eq!(code, 2, "{arguments:?}");
        assert!(stderr.contains("Usage:"), "{stderr}");
    }
    let (code, stdout, _) = run(&mut orderd(directory.path(), &["completions", "bash"]));
    assert_eq!((code, stdout.contains("healthcheck")), (0, true));
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let serve = || {
        let mut serve = orderd(path, &["serve"]);
        // The address is looked at first, and the default one may be somebody's.
        serve.env("ORDERD_SERVER_LISTEN", "127.0.0.1:0");
        serve
    };
    let refused = |command: &mut Command, parts: &[&str]| refused(command, 3, parts);

    fs::write(path.join("orderd.toml"), "[server]\nlistn = \"x\"\n").unwrap();
    refused(
        &mut serve(),
        &[
            "`server.listn` (orderd.toml:2)",
            "did you mean `server.listen`?",
        ],
    );
    fs::write(
        path.join("orderd.toml"),
        "[limits]\nbody_max_bytes = \"much\"\n",
    )
    .unwrap();
    refused(
        &mut serve(),
        &["`limits.body_max_bytes` (orderd.toml:2)", "65536"],
    );
    fs::remove_file(path.join("orderd.toml")).unwrap();

    refused(
        serve().env("ORDERD_IDEMPOTENCY_RETENTION", "1y"),
        &["ORDERD_IDEMPOTENCY_RETENTION"],
    );
    refused(
        serve().env("DATABASE_URL", "mongodb://u:hunter2@h/d"),
        &["mongodb://***@h/d"],
    );
    refused(
        serve().args(["--listen", "0.0.0.0:0"]),
        &["0.0.0.0:0", "anonymous = \"write\""],
    );
    refused(serve().args(["--roles", "api"]), &["shared database"]);
    refused(serve().args(["--config", "none.toml"]), &["none.toml"]);
    let four = [
        ("DB_USER", "u"),
        ("DB_PASS", "hunter2"),
        ("DB_HOST", "127.0.0.1:1"),
        ("DB_NAME", "n"),
    ];
    self::refused(serve().envs(four), 4, &["mysql://***@127.0.0.1:1/n"]);
    assert_eq!(fs::read_dir(path).unwrap().count(), 0, "nothing was made");
}

#[test]
fn the_configuration_can_be_written_checked_and_shown() {
    let directory = TempDir::new().unwrap();
    let config = |verb: &[&str]| orderd(directory.path(), &[&["config"], verb].concat());
    assert_eq!(run(&mut config(&["init"])).0, 0);
    refused(&mut config(&["init"]), 1, &["orderd.toml is already there"]);
    assert_eq!(run(&mut config(&["check"])).0, 0);

    let shown =
        run(config(&["show", "--sources"]).envs([("PORT", "9"), ("ADMIN_PASSWORD", "hunter2")]));
    assert!(shown.1.contains("listen = \"127.0.0.1:9\""), "{}", shown.1);
    assert!(shown.1.starts_with("[server]\nlisten = "), "{}", shown.1);
    assert!(shown.1.contains("# environment: PORT"), "{}", shown.1);
    assert!(
        !format!("{shown:?}").contains("hunter2"),
        "a secret is never shown"
    );
    let shown = run(config(&["show", "--json"]).env("ADMIN_PASSWORD", "hunter2"));
    let json: Value = serde_json::from_str(&shown.1).unwrap();
    assert_eq!(json["admin.password"]["value"], "***");
}

#[test]
fn the_doctor_goes_on_after_a_fault_and_tells_every_one() {
    let directory = TempDir::new().unwrap();
    let doctor = || orderd(directory.path(), &["doctor"]);
    let (code, stdout, _) = run(doctor().env("ORDERD_LOG_LEVEL", "loud"));
    assert_eq!(code, 5, "{stdout}");
    for part in ["✗ configuration", "✓ directory", "disk space"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    let odd = [("ORDERD_NONE_SUCH", "1"), ("ADMIN_PASSWORD", "short")];
    let (_, stdout, _) = run(doctor().envs(odd));
    for part in ["ORDERD_NONE_SUCH", "admin.password"] {
        assert!(stdout.contains(part), "{stdout}");
    }
    let (code, stdout, _) = run(doctor().env("REDIS_URL", "redis://:hunter2@127.0.0.1:1"));
    assert_eq!(code, 5, "{stdout}");
    assert!(stdout.contains("✗ cache"), "{stdout}");
    assert!(!stdout.contains("hunter2"), "{stdout}");
}

#[test]
fn a_file_has_one_owner_and_readers_beside_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let server = Server::start(path, &[]);
    let answer = exchange(&mut server.connect(), place("k").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

    let owner = format!("process {}", server.child.id());
    let second = ["serve", "--listen", "127.0.0.1:0"];
    refused(&mut orderd(path, &second), 4, &["orderd.db", &owner]);
    refused(&mut orderd(path, &["migrate", "up"]), 4, &["orderd.db"]);
    let kept = ["dev", "--listen", "127.0.0.1:0", "--keep", "."];
    refused(&mut orderd(path, &kept), 4, &["directory with --keep"]);

    let (code, stdout, _) = run(&mut orderd(path, &["verify", "--json"]));
    let verdicts: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0, "{stdout}");
    let checks = store::Check::ALL.len() + 1;
    assert_eq!(verdicts.as_array().unwrap().len(), checks, "{stdout}");
    let listen = ("ORDERD_LISTEN", server.address.to_string());
    for arguments in [&["migrate", "status"][..], &["healthcheck"], &["doctor"]] {
        let mut command = orderd(path, arguments);
        let (code, stdout, stderr) = run(command.env(listen.0, &listen.1));
        assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
    }
}

#[test]
fn a_taken_port_is_named_with_its_holder_and_a_free_one() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let holder = format!("process {}", std::process::id());
    let serve = &["serve", "--listen", &address];
    let parts = [
        address.as_str(),
        &holder,
        "listen elsewhere: --listen 127.0.0.1:",
    ];
    refused(&mut orderd(directory.path(), serve), 4, &parts);
    let made = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(made, 0, "nothing was made before the port was ours");
}

#[test]
fn dev_says_so_when_it_goes_to_another_port() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dev = ["dev", "--listen", &address, "--keep", ".", "--orders", "1"];
    let mut child = orderd(directory.path(), &dev)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    log.read_line(&mut said).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let beginning = format!("{address} is taken; serving at 127.0.0.1:");
    assert!(said.starts_with(&beginning), "{said}");
}

#[test]
fn what_cannot_be_reached_or_opened_has_its_code() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    fs::write(
        path.join("broken.db"),
        "this is no database, and never was one",
    )
    .unwrap();
    let broken = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        "sqlite:broken.db",
    ];
    refused(&mut orderd(path, &broken), 5, &["broken.db"]);
    let nowhere = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        "sqlite:/proc/x/y.db",
    ];
    refused(&mut orderd(path, &nowhere), 4, &["/proc/x"]);
    let nobody = "postgres://u:hunter2@127.0.0.1:1/d";
    let mut unreachable = orderd(path, &["serve", "--database-url", nobody]);
    unreachable.args(["--listen", "127.0.0.1:0"]);
    refused(&mut unreachable, 4, &["postgres://***@127.0.0.1:1/d"]);
    refused(&mut orderd(path, &["verify"]), 4, &["orderd.db"]);

    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    let healthcheck = ["healthcheck", "--url", &url];
    refused(&mut orderd(path, &healthcheck), 4, &["error: ", &url]);
}

#[test]
fn sigterm_lets_requests_finish_and_ends_well() {
    let directory = TempDir::new().unwrap();
    let mut server = Server::start(directory.path(), &[]);
    let mut idle = server.connect();
    // An answer to a later connection shows that the one before it was accepted.
    let (mut under_way, rest) = under_way(&server);

    server.signal("TERM");
    wait_for(&mut server.log, "Stopping");
    assert_eq!(
        exchange(&mut idle, b""),
        "",
        "idle connections are closed at once"
    );
    let answer = exchange(&mut under_way, rest.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    wait_for(&mut server.log, "Stopped");
    assert_eq!(server.exit_code(), Some(0));
    assert!(
        !directory.path().join("orderd.db-wal").exists(),
        "all is in the file itself"
    );
}

#[test]
fn a_second_signal_ends_at_once_and_a_drain_has_its_time() {
    for (second, code) in [(Some("TERM"), 143), (Some("INT"), 130), (None, 0)] {
        let directory = TempDir::new().unwrap();
        let timeout = if second.is_some() { "1h" } else { "50ms" };
        let mut server = Server::start(directory.path(), &[("ORDERD_SHUTDOWN_TIMEOUT", timeout)]);
        let _under_way = under_way(&server);
        server.signal("TERM");
        wait_for(&mut server.log, "Stopping");
        if let Some(second) = second {
            server.signal(second);
        }
        assert_eq!(server.exit_code(), Some(code));
    }
}

#[test]
fn connections_beyond_the_bound_are_told_so() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &[("ORDERD_SERVER_CONNECTIONS_MAX", "1")]);
    let mut first = server.connect();
    first
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    assert!(first.read(&mut [0; 4096]).unwrap() > 0);
    let answer = exchange(
        &mut server.connect(),
        b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
}

#[test]
fn heads_that_are_no_http_get_a_problem_and_half_ones_are_cut() {
    let directory = TempDir::new().unwrap();
    let server = Server::start(directory.path(), &[]);
    let check = |request: &[u8], status: &str| {
        let answer = exchange(&mut server.connect(), request);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(status), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(head.split(' ').nth(1).unwrap(), body["status"].to_string());
    };
    check(b"NONSENSE\r\n\r\n", "HTTP/1.1 400 ");
    let many = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "a: b\r\n".repeat(300)
    );
    check(many.as_bytes(), "HTTP/1.1 431 ");
    let long = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\na: {}\r\n\r\n",
        "b".repeat(20 << 10)
    );
    check(long.as_bytes(), "HTTP/1.1 431 ");
    let directory = TempDir::new().unwrap();
    let hasty = [("ORDERD_SERVER_HEADER_TIMEOUT", "100ms")];
    let hasty = Server::start(directory.path(), &hasty);
    let half = b"GET / HTTP/1.1\r\nhost: ";
    assert_eq!(exchange(&mut hasty.connect(), half), "");
}

/// The status of a GET, and the head of its answer.
fn get(server: &Server, path: &str, headers: &str) -> (u16, String) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
    let answer = exchange(&mut server.connect(), request.as_bytes());
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[test]
fn with_a_token_it_listens_where_others_reach_it_and_strangers_may_do_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut create = orderd(directory.path(), &["token", "create", "--scope", "read"]);
    create.env("ORDERD_SERVER_LISTEN", free.to_string());
    let (code, token, told) = run(&mut create);
    assert_eq!(code, 0, "{told}");
    assert!(
        token.starts_with("orderd_") && token.ends_with('\n'),
        "{token}"
    );

    let listen = ["serve", "--listen", "0.0.0.0:0"];
    let unpaid = [
        "payments would only be simulated",
        "ORDERD_PAYMENTS_PROVIDER",
    ];
    refused(&mut orderd(directory.path(), &listen), 3, &unpaid);
    let simulated = [("ORDERD_PAYMENTS_PROVIDER", "simulated")];
    let server = Server::start_at("0.0.0.0:0", directory.path(), &simulated);
    assert_eq!(get(&server, "/readyz", "").0, 200);
    assert_eq!(get(&server, "/v1/orders", "").0, 401);
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    let (status, answer) = get(&server, "/v1/orders", &bearer);
    assert_eq!(status, 200);
    assert!(
        answer.contains("ratelimit: \"default\";r=199;t=1"),
        "{answer}"
    );

    let url = format!("http://{}", server.address);
    let list = || {
        orderd(
            directory.path(),
            &["order", "list", "--url", &url, "--json"],
        )
    };
    refused(
        list().env("ORDERD_TOKEN", "wrong"),
        1,
        &["401, unauthorized"],
    );
    let (code, orders, told) = run(list().env("ORDERD_TOKEN", token.trim()));
    assert_eq!((code, &*orders), (0, ""), "{told}");
    let file = directory.path().join("token");
    fs::write(&file, &token).unwrap();
    let (code, _, told) = run(list().arg("--token-file").arg(&file));
    assert_eq!(code, 0, "{told}");
    let tokens = orderd(directory.path(), &["token", "list", "--url", &url])
        .env("ORDERD_TOKEN", token.trim())
        .output()
        .unwrap();
    assert_eq!(tokens.status.code(), Some(1), "read is not admin");
}

#[test]
fn on_loopback_it_answers_strangers_as_itself_unless_somebody_said_what_they_may_do() {
    let directory = tempfile::tempdir().unwrap();
    let asked_as = |settings: &[(&str, &str)], host: &str| {
        let server = Server::start(directory.path(), settings);
        let request =
            format!("GET /v1/orders HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = exchange(&mut server.connect(), request.as_bytes());
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let named = [("ORDERD_SERVER_HOSTS", "orders.example.org")];
    let chosen = ("ORDERD_ACCESS_ANONYMOUS", "read");
    for (settings, host, status) in [
        (&[][..], "localhost", "200"),
        (&[], "orders.example.org", "421"),
        (&named, "orders.example.org", "200"),
        (&[chosen], "orders.example.org", "200"),
        (&[chosen, named[0]], "other.example.org", "421"),
    ] {
        assert_eq!(asked_as(settings, host), status, "{settings:?} {host}");
    }
    for (name, value) in [
        ("ORDERD_SERVER_HOSTS", "https://orders.example.org"),
        ("ORDERD_SERVER_BASE_PATH", "shop"),
    ] {
        let mut start = orderd(directory.path(), &["serve"]);
        refused(start.env(name, value), 3, &[value]);
    }
}

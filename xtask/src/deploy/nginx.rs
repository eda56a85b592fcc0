//! nginx in front of the binary, with the sites of `deploy/nginx`.

use super::Outcome;
use super::server::Server;
use super::walkthrough::{self, curl};
use crate::compiled;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xtask::servers::daemon::{Daemon, free_port};
use xtask::tools::{from_debian, output};

const ORDER: &str = r#"{"customer_id":"ada","lines":[{"item_id":"pen","quantity":1}]}"#;
/// A stream that is held back comes when a buffer is full, which is never.
const AT_ONCE: Duration = Duration::from_secs(20);

/// The walk-throughs, a stream of events, retries while the server is away, and what is too large.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    let nginx = from_debian("nginx", &["nginx-light"])?;
    let orderd = compiled::orderd(root)?;
    let mut server = Server::start(&orderd, &["serve"])?;
    let ports = Ports {
        plain: free_port()?,
        redirect: free_port()?,
        tls: free_port()?,
    };
    let _nginx = start(root, &nginx, &server, &ports)?;
    let url = format!("http://127.0.0.1:{}", ports.plain);
    walkthrough::all(&url)?;
    streams(&url)?;
    keeps_ids(&url)?;
    let large = format!(r#"{{"customer_id":"{}"}}"#, "a".repeat(70_000));
    let (status, body) = curl(&url, "POST /v1/orders", &[], &large)?;
    ensure!(
        status == 413 && body.contains("payload_too_large"),
        "{status} {body}"
    );
    let secure = curl(
        &format!("https://127.0.0.1:{}", ports.tls),
        "GET /readyz",
        &[],
        "",
    )?;
    ensure!(secure.0 == 200, "over TLS: {secure:?}");
    let redirect = format!("http://127.0.0.1:{}", ports.redirect);
    let redirected = curl(&redirect, "POST /v1/orders", &[], ORDER)?;
    ensure!(redirected.0 == 308, "a POST stays one: {redirected:?}");
    // A certificate is asked for before there is one: nginx answers, not orderd.
    for url in [&url, &redirect] {
        let (status, body) = curl(url, "GET /.well-known/acme-challenge/x", &[], "")?;
        ensure!(status == 404 && body.contains("<html>"), "{status} {body}");
    }

    server.daemon.end();
    let key = ["Idempotency-Key: while-away"];
    let (status, body) = curl(&url, "POST /v1/orders", &key, ORDER)?;
    ensure!(
        status == 502 && body.contains(r#""code":"outcome_unknown""#),
        "nobody is there: {status} {body}"
    );
    let problem: serde_json::Value = serde_json::from_str(&body)?;
    ensure!(
        problem["request_id"]
            .as_str()
            .is_some_and(|it| it.len() == 32),
        "{body}"
    );
    server.daemon.restart()?;
    let (status, body) = curl(&url, "POST /v1/orders", &key, ORDER)?;
    ensure!(status == 201, "the retry: {status} {body}");
    let told = "walk-throughs, TLS, events at once, 413, 502 and the retry after it";
    Ok(Outcome::Holds(told.to_owned()))
}

/// Where nginx listens: for HTTP, for HTTP that is sent to HTTPS, and for that.
struct Ports {
    plain: u16,
    redirect: u16,
    tls: u16,
}

/// nginx with both sites, on ports and in a directory of its own.
fn start(root: &Path, nginx: &Path, server: &Server, ports: &Ports) -> Result<Daemon> {
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    let (certificate, key) = certificate(path)?;
    fs::create_dir_all(path.join("snippets"))?;
    let copy = |name: &str, to: &str, changes: &[(&str, String)]| -> Result<()> {
        let mut text = fs::read_to_string(root.join("deploy/nginx").join(name))?;
        for (from, to) in changes {
            ensure!(text.contains(from), "{name} has no {from}");
            text = text.replace(from, to);
        }
        Ok(fs::write(path.join(to), text)?)
    };
    let upstream = [("127.0.0.1:8080", format!("127.0.0.1:{}", server.port))];
    copy("orderd-proxy.conf", "snippets/orderd-proxy.conf", &[])?;
    copy("orderd-http.conf", "http.conf", &upstream)?;
    let plainly = |port: u16| {
        [
            (
                "listen 80 default_server",
                format!("listen 127.0.0.1:{port}"),
            ),
            ("    listen [::]:80 default_server;\n", String::new()),
        ]
    };
    copy("orderd.conf", "site.conf", &plainly(ports.plain))?;
    let live = "/etc/letsencrypt/live/orders.example.org/";
    let secured = [
        ("listen 443", format!("listen 127.0.0.1:{}", ports.tls)),
        ("    listen [::]:443 ssl http2;\n", String::new()),
        (
            &format!("{live}fullchain.pem"),
            certificate.display().to_string(),
        ),
        (&format!("{live}privkey.pem"), key.display().to_string()),
    ];
    copy(
        "orderd-tls.conf",
        "tls.conf",
        &[&plainly(ports.redirect)[..], &secured].concat(),
    )?;
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};\n"))
        .concat();
    let main = format!(
        "daemon off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {paths}include http.conf;\ninclude site.conf;\ninclude tls.conf;\n}}\n"
    );
    fs::write(path.join("nginx.conf"), main)?;
    let with_prefix = || {
        let mut command = Command::new(nginx);
        command
            .arg("-p")
            .arg(path)
            .args(["-e", "error.log", "-c", "nginx.conf"]);
        command
    };
    output(with_prefix().arg("-t"))?;
    let plain = ports.plain;
    let is_ready = move |_| TcpStream::connect(("127.0.0.1", plain)).is_ok();
    let command = with_prefix();
    Daemon::start(command, directory, "-QUIT", is_ready)
}

/// A certificate that nobody vouches for, and its key.
fn certificate(directory: &Path) -> Result<(PathBuf, PathBuf)> {
    let certificate = directory.join("certificate.pem");
    let key = directory.join("key.pem");
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"])
        .args(["-days", "1", "-subj", "/CN=orders.example.org"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    output(&mut openssl)?;
    Ok((certificate, key))
}

/// Whether an event comes through while its stream is open.
fn streams(url: &str) -> Result<()> {
    let mut listening = Command::new("curl");
    listening
        .args(["--silent", "--no-buffer", "--max-time", "30"])
        .arg(format!("{url}/v1/events"))
        .stdout(Stdio::piped());
    let mut listening = Ended(listening.spawn()?);
    let stdout = listening.0.stdout.take().context("it is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    // The stream begins with a line of its own, so that who listens knows that it is open.
    let _open = lines.next().context("the stream ends")??;
    let begun = Instant::now();
    let (status, body) = curl(url, "POST /v1/orders", &["Idempotency-Key: stream"], ORDER)?;
    ensure!(status == 201, "{status} {body}");
    for line in lines {
        if line?.contains("order.created") {
            let took = begun.elapsed();
            ensure!(took < AT_ONCE, "the event took {took:?}");
            return Ok(());
        }
    }
    anyhow::bail!("the stream ended without the event")
}

/// Whether a request goes by the id that its client gave it, in either spelling.
fn keeps_ids(url: &str) -> Result<()> {
    for name in ["Request-ID", "X-Request-ID"] {
        let mut command = Command::new("curl");
        command.args(["--silent", "--head", "--header", &format!("{name}: walk-7")]);
        let heads = output(command.arg(format!("{url}/readyz")))?.to_lowercase();
        ensure!(heads.contains("x-request-id: walk-7"), "{name}: {heads}");
    }
    Ok(())
}

/// A process that ends with the check.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

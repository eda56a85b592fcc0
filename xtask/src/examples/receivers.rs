//! The receivers of webhooks: told by a real server of a real order, and by somebody who forges.

use super::Site;
use super::clients::{Ended, order, unique};
use crate::deploy::walkthrough::curl;
use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use xtask::servers::daemon::free_port;

/// How long an order may take to be completed, and told.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing more has to come, once all that is expected did.
const SILENCE: Duration = Duration::from_millis(300);
/// Beyond what any receiver bears.
const OLD_S: u64 = 3_600;

/// Whether a receiver hears of an order, each event once, and refuses what is forged.
pub(super) fn receives(site: &Site, program: impl Fn() -> Result<Command>) -> Result<String> {
    let port = free_port()?;
    let url = format!("http://127.0.0.1:{port}");
    let (status, body) = curl(
        &site.url(),
        "POST /v1/webhooks",
        &[],
        &json!({ "url": format!("{url}/hook") }).to_string(),
    )?;
    ensure!(status == 201, "the webhook: {status} {body}");
    needs_a_secret(port, program()?)?;
    let webhook: Value = serde_json::from_str(&body)?;
    let secret = webhook["secret"].as_str().context("it has a secret")?;
    let mut command = program()?;
    command
        .arg(port.to_string())
        .env("WEBHOOK_SECRET", secret)
        .stdout(Stdio::piped());
    let mut child = Ended(command.spawn()?);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(begun.elapsed() < PATIENCE, "it does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    let stdout = child.0.stdout.take().context("it is piped")?;
    let (said, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            drop(said.send(line));
        }
    });
    let heard = hears(site, &lines)?;
    let forger = Forger {
        url,
        key: STANDARD
            .decode(secret.trim_start_matches("whsec_"))
            .map_err(|error| anyhow!("the secret is not one: {error}"))?,
    };
    forger.tries(&lines)?;
    Ok(format!(
        "{heard} events, verified; forged, old and repeated ones refused"
    ))
}

/// Whether it does not start with an empty secret, with which anybody can sign.
fn needs_a_secret(port: u16, mut program: Command) -> Result<()> {
    program
        .arg(port.to_string())
        .env("WEBHOOK_SECRET", "whsec_");
    program.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Ended(program.spawn()?);
    let begun = Instant::now();
    loop {
        if let Some(status) = child.0.try_wait()? {
            ensure!(
                !status.success(),
                "without a secret it ends, and is content"
            );
            return Ok(());
        }
        let listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
        ensure!(!listens, "it starts without a secret");
        ensure!(begun.elapsed() < PATIENCE, "without a secret it hangs");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Places an order; gives how many of its events were told until it was completed.
fn hears(site: &Site, lines: &Receiver<String>) -> Result<usize> {
    let customer = unique("told");
    let key = format!("Idempotency-Key: {customer}");
    let (status, body) = curl(
        &site.url(),
        "POST /v1/orders",
        &[&key],
        &order(&customer, 1),
    )?;
    ensure!(status == 201, "{status} {body}");
    let placed: Value = serde_json::from_str(&body)?;
    let id = placed["order_id"].as_str().context("an order has an id")?;
    let mut heard = Vec::new();
    let begun = Instant::now();
    let end = format!("order.completed.v1 {id}");
    while heard.last() != Some(&end) {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let line = lines
            .recv_timeout(left)
            .with_context(|| format!("heard only {heard:?}"))?;
        // Other examples run beside this one, and their orders are told as well.
        if line.ends_with(id) {
            ensure!(!heard.contains(&line), "heard twice: {line}");
            heard.push(line);
        }
    }
    Ok(heard.len())
}

/// Somebody who sends what looks like a webhook, with or without the key.
struct Forger {
    url: String,
    key: Vec<u8>,
}

/// What is sent, and how it must be answered.
struct Attempt {
    what: &'static str,
    id: &'static str,
    sent_at: String,
    signature: String,
    taken: bool,
}

impl Forger {
    fn tries(&self, lines: &Receiver<String>) -> Result<()> {
        let now = u64::try_from(Timestamp::now().as_second())?;
        let body = r#"{"type":"forged","subject":"by-hand"}"#;
        let attempt = |what, id, at: u64, signature: &dyn Fn(String) -> String, taken| Attempt {
            what,
            id,
            sent_at: at.to_string(),
            signature: signature(self.sign(id, at, body)),
            taken,
        };
        let as_it_is = |it: String| it;
        let other = format!("v1,{}", STANDARD.encode([7; 32]));
        let attempts = [
            attempt(
                "a signature of another key",
                "f1",
                now,
                &|_| other.clone(),
                false,
            ),
            attempt(
                "a signature of an empty key",
                "f0",
                now,
                &|_| signed(&[], "f0", now, body),
                false,
            ),
            attempt("no signature", "f2", now, &|_| String::new(), false),
            attempt(
                "half a signature",
                "f3",
                now,
                &|it| it[..20].to_owned(),
                false,
            ),
            attempt("an old one", "f4", now - OLD_S, &as_it_is, false),
            attempt("one of the future", "f5", now + OLD_S, &as_it_is, false),
            Attempt {
                what: "a signature of another id",
                id: "f6",
                sent_at: now.to_string(),
                signature: self.sign("f7", now, body),
                taken: false,
            },
            attempt("a genuine one", "g1", now, &as_it_is, true),
            attempt("the same again", "g1", now, &as_it_is, true),
            attempt(
                "two signatures",
                "g2",
                now,
                &|it| format!("{other} {it}"),
                true,
            ),
        ];
        for attempt in &attempts {
            let headers = [
                format!("webhook-id: {}", attempt.id),
                format!("webhook-timestamp: {}", attempt.sent_at),
                format!("webhook-signature: {}", attempt.signature),
            ];
            let headers = headers.each_ref().map(String::as_str);
            let (status, _) = curl(&self.url, "POST /hook", &headers, body)?;
            let taken = (200..300).contains(&status);
            ensure!(taken == attempt.taken, "{}: {status}", attempt.what);
        }
        let heard = heard(lines, 2);
        ensure!(heard == 2, "of two genuine ones {heard} were dealt with");
        Ok(())
    }

    fn sign(&self, id: &str, at: u64, body: &str) -> String {
        signed(&self.key, id, at, body)
    }
}

/// How many are dealt with: waits for so many, and then whether there are more.
fn heard(lines: &Receiver<String>, expected: usize) -> usize {
    let (mut heard, begun) = (0, Instant::now());
    loop {
        let left = if heard < expected {
            PATIENCE.saturating_sub(begun.elapsed())
        } else {
            SILENCE
        };
        match lines.recv_timeout(left) {
            Ok(line) => heard += usize::from(line == "forged by-hand"),
            Err(_) => return heard,
        }
    }
}

/// A signature, as webhooks have it.
fn signed(key: &[u8], id: &str, at: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

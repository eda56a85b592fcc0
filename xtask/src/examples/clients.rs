//! The clients: they place an order through a line that loses answers, or follow events on one that
//! is cut.

use super::Site;
use super::lossy::{BUSY, Fate, Line};
use crate::deploy::walkthrough::curl;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use xtask::tools::output;

/// Every way to lose an answer, and at last it comes. In three, since the tries of a client are few
/// and its waits double. Busy is the first, when chance alone waits least: whoever does not read
/// `Retry-After` is always seen.
const SCRIPTS: [&[Fate]; 3] = [
    &[
        Fate::Busy,
        Fate::FailsAfterCommit,
        Fate::Cut,
        Fate::Hangs,
        Fate::BadGateway,
        Fate::Passes,
    ],
    &[Fate::Torn, Fate::TornHead, Fate::TornBusy, Fate::Passes],
    &[Fate::JsonGateway, Fate::NullGateway, Fate::Passes],
];
/// The token that each client is given.
const TOKEN: &str = "a-token";

/// How long events may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether a client places one order through each bad line, and takes a no for one.
pub(super) fn places(site: &Site, program: impl Fn() -> Result<Command>) -> Result<String> {
    let begun = Instant::now();
    for script in SCRIPTS {
        places_through(script, site, &program)?;
    }
    let took = begun.elapsed();
    takes_a_no(site, &program)?;
    let tries = SCRIPTS.map(<[Fate]>::len);
    let seconds = took.as_secs_f64();
    Ok(format!(
        "one order each of {tries:?} tries, in {seconds:.1} s"
    ))
}

fn places_through(
    script: &'static [Fate],
    site: &Site,
    program: &impl Fn() -> Result<Command>,
) -> Result<()> {
    let customer = unique("customer");
    let order = order(&customer, 1);
    let line = Line::to(site.port, script)?;
    let mut command = program()?;
    command.args([&line.url, &customer, &order]);
    let ended = ended(command.env("ORDERD_TOKEN", TOKEN))?;
    let said = text(&ended);
    let last = || line.sent().last().map(|it| it.fate);
    ensure!(ended.status.success(), "after {:?}: {said}", last());
    let placed = orders_of(site, &customer)?;
    ensure!(placed.len() == 1, "there are {} orders", placed.len());
    ensure!(
        said.contains(&placed[0]),
        "the order is {}: {said}",
        placed[0]
    );
    let sent = line.sent();
    ensure!(
        sent.len() == script.len(),
        "{} tries, not {}",
        sent.len(),
        script.len()
    );
    for one in &sent {
        ensure!(
            one.header("Idempotency-Key") == Some(customer.as_str()),
            "a try under another key"
        );
        ensure!(one.body == sent[0].body, "a try with another body");
        ensure!(
            one.header("Authorization") == Some(&format!("Bearer {TOKEN}")),
            "a try without the token"
        );
    }
    for pair in sent.windows(2) {
        let waited = pair[1].at - pair[0].at;
        ensure!(
            pair[0].fate != Fate::Busy || waited >= BUSY,
            "Retry-After is not honoured: {waited:?}"
        );
    }
    Ok(())
}

/// Whether a client gives up at once on what fails again, and in the end on what always fails.
fn takes_a_no(site: &Site, program: &impl Fn() -> Result<Command>) -> Result<()> {
    let customer = unique("refused");
    let line = Line::to(site.port, &[Fate::Passes])?;
    let order = order(&customer, 0);
    let ended = ended(program()?.args([&line.url, &customer, &order]))?;
    ensure!(!ended.status.success(), "a refusal is taken for an order");
    let count = line.sent().len();
    ensure!(count == 1, "what was refused is sent {count} times");
    Ok(())
}

/// How long a client may take, with all its tries.
const CLIENT_MAX: Duration = Duration::from_mins(1);

/// Runs a client to its end, which may not be far.
fn ended(command: &mut Command) -> Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > CLIENT_MAX {
            drop(Ended(child));
            bail!("it waits for ever");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(child.wait_with_output()?)
}

/// All that a client said.
fn text(ended: &Output) -> String {
    let said = [&ended.stdout[..], &ended.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// Whether the six steps are taken, and seen to fail where faults are off.
pub(super) fn walks(site: &Site, program: impl Fn() -> Result<Command>) -> Result<String> {
    let said = output(program()?.arg(site.url()))?;
    let steps = said.lines().count();
    ensure!(steps == 6, "{steps} steps: {said}");
    Ok("six steps".to_owned())
}

/// How a stream is cut: after two events, after six, of which some were told before, and no more. A
/// stream begins with a line of its own.
const CUTS: &[Fate] = &[Fate::CutAfter(3), Fate::CutAfter(7), Fate::Passes];

/// Whether each event of an order is told once, and none is left out, where the stream is cut.
pub(super) fn follows(site: &Site, program: impl Fn() -> Result<Command>) -> Result<String> {
    let line = Line::to(site.port, CUTS)?;
    let mut child = program()?
        .arg(&line.url)
        .stdout(Stdio::piped())
        // It says of each cut that there was one.
        .stderr(Stdio::null())
        .spawn()
        .map(Ended)?;
    let stdout = child.0.stdout.take().context("it is piped")?;
    let (told, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            drop(told.send(line));
        }
    });
    // What came before it listens is not asked for.
    wait_for(|| line.streams())?;
    let customer = unique("follower");
    let (status, body) = curl(
        &site.url(),
        "POST /v1/orders",
        &[&format!("Idempotency-Key: {customer}")],
        &order(&customer, 1),
    )?;
    ensure!(status == 201, "{status} {body}");
    let placed = orders_of(site, &customer)?.remove(0);
    let (mut ids, mut types) = (BTreeSet::new(), Vec::new());
    let begun = Instant::now();
    while types.last().is_none_or(|it| it != "order.completed.v1") {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let line = lines
            .recv_timeout(left)
            .with_context(|| format!("only {types:?} were told"))?;
        let [id, kind, subject] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("not an event: {line}");
        };
        ensure!(ids.insert(id.to_owned()), "told twice: {line}");
        if subject == placed {
            types.push(kind.to_owned());
        }
    }
    let expected = [
        "order.created.v1",
        "order.processing.v1",
        "payment.authorised.v1",
        "payment.captured.v1",
        "order.completed.v1",
    ];
    ensure!(types == expected, "told: {types:?}");
    let connections = line.sent();
    let resumed = |it: &super::lossy::Sent| it.header("Last-Event-ID").is_some();
    ensure!(connections.iter().any(resumed), "nothing was resumed");
    let (events, connections) = (types.len(), connections.len());
    Ok(format!(
        "{events} events, once each, over {connections} connections"
    ))
}

fn wait_for(is_so: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        ensure!(begun.elapsed() < PATIENCE, "it does not connect");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A name that no other example has.
pub(super) fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An order as clients send it.
pub(super) fn order(customer: &str, quantity: u32) -> String {
    format!(r#"{{"customer_id":"{customer}","lines":[{{"item_id":"pen","quantity":{quantity}}}]}}"#)
}

/// The ids of the orders that a customer has.
fn orders_of(site: &Site, customer: &str) -> Result<Vec<String>> {
    let request = format!("GET /v1/orders?customer_id={customer}");
    let (status, body) = curl(&site.url(), &request, &[], "")?;
    ensure!(status == 200, "{status} {body}");
    let list: Value = serde_json::from_str(&body)?;
    let items = list["items"].as_array().context("a list has items")?;
    let ids = items.iter().filter_map(|item| item["order_id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

/// A process that ends with the check.
pub(super) struct Ended(pub(super) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

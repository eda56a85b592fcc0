//! Readers that have an answer read its effect, whatever becomes of Redis meanwhile: it is killed,
//! comes back with what it knew long ago, hangs, is emptied, and holds garbage.

use crate::harness::{Server, Site, alone, say, seed, setting};
use crate::load::{Client, Random};
use crate::redis::Redis;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many reads after writes are checked; `ORDERD_HARNESS_CHECKS` asks for more.
const CHECKS: u64 = 5_000;
/// A planted bug is looked for until it shows, and so much longer at the most.
#[cfg(feature = "mutants")]
const PATIENCE: u64 = 20;
/// Clients that write and check what they wrote.
const WRITERS: u64 = 6;
/// Clients that only read, so that the cache is filled at every moment.
const READERS: u64 = 3;
/// From one trouble to the next.
const CALM: Duration = Duration::from_millis(60);

/// What was found.
#[derive(Debug, Default)]
struct Found {
    checks: AtomicU64,
    stale: AtomicU64,
    errors: AtomicU64,
    slowest_us: AtomicU64,
}

/// When to end.
#[derive(Clone, Copy)]
struct Enough {
    checks: u64,
    stale: u64,
}

impl Found {
    fn violations(&self) -> u64 {
        self.stale.load(Ordering::Relaxed) + self.errors.load(Ordering::Relaxed)
    }

    fn is(&self, enough: Enough) -> bool {
        self.checks.load(Ordering::Relaxed) >= enough.checks
            || self.stale.load(Ordering::Relaxed) >= enough.stale
    }
}

/// A client of the basket contract.
struct Shopper<'a> {
    client: Client,
    found: &'a Found,
}

impl<'a> Shopper<'a> {
    fn new(address: SocketAddr, found: &'a Found) -> Self {
        let client = Client::connect(address).unwrap();
        Self { client, found }
    }

    /// Sends a request; an answer that it must not get is an error.
    fn send(&mut self, method: &str, path: &str, body: &str, expected: u16) -> Value {
        let started = Instant::now();
        let answer = self.client.request(method, path, body).unwrap();
        let took = u64::try_from(started.elapsed().as_micros()).unwrap();
        self.found.slowest_us.fetch_max(took, Ordering::Relaxed);
        if answer.status != expected {
            self.found.errors.fetch_add(1, Ordering::Relaxed);
        }
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn place(&mut self) -> String {
        let body = r#"{"customer_name":"Ada","items":[{"name":"Pen","quantity":1}]}"#;
        let placed = self.send("POST", "/orders", body, 201);
        placed["order_id"].as_str().unwrap_or_default().to_owned()
    }

    fn check(&mut self, holds: bool) {
        self.found.checks.fetch_add(1, Ordering::Relaxed);
        if !holds {
            self.found.stale.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Changes the order, and looks for the change where the order is shown.
    fn label(&mut self, id: &str, label: &str) {
        let body = json!({ "status": label }).to_string();
        self.send("PATCH", &format!("/orders/{id}/status"), &body, 200);

        let one = self.send("GET", &format!("/orders/{id}"), "", 200);
        self.check(one["status"] == label);
        let one = self.send("GET", &format!("/v1/orders/{id}"), "", 200);
        self.check(one["label"] == label);
        // Once more: what raced the change may have come into the cache since.
        let one = self.send("GET", &format!("/orders/{id}"), "", 200);
        self.check(one["status"] == label);
    }

    /// Looks for the last change in the lists.
    fn find(&mut self, id: &str, label: &str) {
        let all = self.send("GET", "/orders", "", 200);
        self.check(in_list(&all["orders"], id).is_some_and(|order| order["status"] == label));
        let page = self.send("GET", "/v1/orders?limit=100", "", 200);
        self.check(in_list(&page["items"], id).is_some_and(|order| order["label"] == label));
    }

    /// Places an order and deletes it, and looks for it after each.
    fn come_and_go(&mut self) {
        let id = self.place();
        let all = self.send("GET", "/orders", "", 200);
        self.check(in_list(&all["orders"], &id).is_some());
        self.send("GET", &format!("/orders/{id}"), "", 200);

        self.send("DELETE", &format!("/orders/{id}"), "", 200);
        self.send("GET", &format!("/orders/{id}"), "", 404);
        self.send("GET", &format!("/v1/orders/{id}"), "", 404);
        let all = self.send("GET", "/orders", "", 200);
        self.check(in_list(&all["orders"], &id).is_none());
    }
}

fn in_list<'a>(orders: &'a Value, id: &str) -> Option<&'a Value> {
    orders
        .as_array()?
        .iter()
        .find(|order| order["order_id"] == id)
}

/// Writes and checks until enough was checked or found.
fn write(address: SocketAddr, found: &Found, number: u64, enough: Enough, orders: &[String]) {
    let mut shopper = Shopper::new(address, found);
    let own = &orders[usize::try_from(number).unwrap()];
    let mut turn = 0;
    while !found.is(enough) {
        turn += 1;
        if turn % 8 == 0 {
            shopper.come_and_go();
        }
        let label = format!("turn {turn}");
        shopper.label(own, &label);
        if turn % 3 == 0 {
            shopper.find(own, &label);
        }
    }
}

/// Reads what others write, and looks at none of it.
fn read(address: SocketAddr, found: &Found, seed: u64, orders: &[String], end: &AtomicBool) {
    let mut shopper = Shopper::new(address, found);
    let mut random = Random::new(seed);
    while !end.load(Ordering::Relaxed) {
        let chosen = usize::try_from(random.below(WRITERS)).unwrap();
        let path = match random.below(4) {
            0 => "/orders".to_owned(),
            1 => format!("/v1/orders/{}", orders[chosen]),
            _ => format!("/orders/{}", orders[chosen]),
        };
        shopper.send("GET", &path, "", 200);
    }
}

/// Gives Redis one trouble after the other.
fn trouble(redis: &mut Redis, seed: u64, end: &AtomicBool) -> u64 {
    let mut random = Random::new(seed);
    let mut troubles = 0;
    while !end.load(Ordering::Relaxed) {
        thread::sleep(CALM);
        match troubles % 5 {
            0 => redis.flush(),
            1 => {
                redis.stop();
                thread::sleep(CALM * 2);
                redis.go_on();
            }
            2 => garbage(redis, &mut random),
            // What it knows at its next start is from here.
            3 => drop(redis.command(&["SAVE"])),
            _ => {
                redis.kill();
                thread::sleep(CALM);
                redis.restart();
            }
        }
        troubles += 1;
    }
    troubles
}

/// Overwrites what Redis holds: with nonsense, with halves, with keys of another type.
fn garbage(redis: &mut Redis, random: &mut Random) {
    let keys = redis.command(&["KEYS", "orders:*"]);
    for key in keys
        .split_whitespace()
        .filter(|word| word.starts_with("orders:"))
    {
        match random.below(5) {
            0 => drop(redis.command(&["SET", key, "garbage"])),
            1 => drop(redis.command(&["SET", key, "{\"order_id\":\"x\",\"status\":\"old\"}"])),
            2 => drop(redis.command(&["SETRANGE", key, "0", "{}"])),
            3 => {
                redis.command(&["DEL", key]);
                redis.command(&["RPUSH", key, "another", "type"]);
            }
            _ => drop(redis.command(&["SET", key, &random.below(10).to_string()])),
        }
    }
}

/// Runs it all; how often a reader was told what was no more.
fn harass(mutant: Option<&'static str>, enough: Enough) -> Option<Found> {
    let mut redis = Redis::start()?;
    let mut site = Site::new(mutant);
    site.environment.push(("REDIS_URL", redis.url().into()));
    let server: Server = site.start().unwrap();
    let address = server.address;
    let found = Found::default();
    let seed = seed();
    let orders: Vec<String> = (0..WRITERS)
        .map(|_| Shopper::new(address, &found).place())
        .collect();

    let end = AtomicBool::new(false);
    let troubles = thread::scope(|scope| {
        let (end, found, orders) = (&end, &found, &orders);
        for number in 0..READERS {
            scope.spawn(move || read(address, found, seed ^ number, orders, end));
        }
        let troubled = scope.spawn(|| trouble(&mut redis, seed, end));
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| scope.spawn(move || write(address, found, number, enough, orders)))
            .collect();
        let ended: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        end.store(true, Ordering::Relaxed);
        for end in ended {
            end.unwrap();
        }
        troubled.join().unwrap()
    });
    let figures = json!({
        "harness": "freshness", "mutant": mutant, "seed": format!("{seed:016x}"),
        "checks": found.checks, "stale": found.stale, "errors": found.errors,
        "troubles": troubles, "slowest_ms": found.slowest_us.load(Ordering::Relaxed) / 1_000,
    });
    say(&figures.to_string());
    if mutant.is_none() && found.violations() > 0 {
        say(&site.last_words());
    }
    Some(found)
}

#[test]
fn whoever_has_an_answer_reads_its_effect_whatever_becomes_of_redis() {
    let _turn = alone();
    let enough = Enough {
        checks: setting("ORDERD_HARNESS_CHECKS").unwrap_or(CHECKS),
        stale: u64::MAX,
    };
    if let Some(found) = harass(None, enough) {
        assert_eq!(found.violations(), 0, "{found:?}");
    }
}

#[cfg(feature = "mutants")]
#[test]
fn a_cache_that_keeps_what_raced_a_write_is_caught() {
    caught("fill-regardless");
}

#[cfg(feature = "mutants")]
#[test]
fn an_answer_before_the_cache_knows_is_caught() {
    caught("answer-before-outdating");
}

#[cfg(feature = "mutants")]
#[test]
fn trusting_what_redis_knew_before_is_caught() {
    caught("one-era");
}

#[cfg(feature = "mutants")]
fn caught(mutant: &'static str) {
    let _turn = alone();
    let enough = Enough {
        checks: PATIENCE * CHECKS,
        stale: 1,
    };
    if let Some(found) = harass(Some(mutant), enough) {
        assert!(
            found.stale.load(Ordering::Relaxed) > 0,
            "{mutant}: {found:?}"
        );
    }
}

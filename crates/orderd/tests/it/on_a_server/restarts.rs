//! The database server crashes and comes back, again and again, under load: whoever asks meanwhile is
//! told to come again, nothing acknowledged is lost and nothing is done twice.

use crate::backend;
use crate::harness::{Site, Tally, alone, seed, setting};
use crate::load::{Client, Entry, Placing, Random};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xtask::servers::Database;

/// Restarts in CI; `ORDERD_HARNESS_RESTARTS` raises it.
const RESTARTS: u64 = 5;
const CLIENTS: u64 = 6;
/// Once the server is ready again, orders are placed again after at most this long, most of the time:
/// other tests want the machine, too.
const RECOVERY_MAX: Duration = Duration::from_secs(2);

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_crashes_of_the_server() {
    if backend::is_file() {
        return;
    }
    let restarts = setting("ORDERD_HARNESS_RESTARTS").unwrap_or(RESTARTS);
    let found = run(None, restarts, |_| false);
    assert_eq!(found.tally, Tally::default());
    assert!(
        found.acknowledged > restarts * 20,
        "too little load to prove anything"
    );
    assert!(
        found.recovery_p50 <= RECOVERY_MAX,
        "{:?}",
        found.recovery_p50
    );
}

#[cfg(feature = "mutants")]
#[test]
fn answering_before_the_commit_is_caught_by_crashes_of_the_server() {
    if backend::is_file() {
        return;
    }
    let found = run(Some("answer-before-commit"), 50, |tally| {
        tally.violations() > 0
    });
    assert!(found.tally.violations() > 0, "the mutant was not caught");
}

struct Found {
    tally: Tally,
    acknowledged: u64,
    recovery_p50: Duration,
}

fn run(mutant: Option<&'static str>, restarts: u64, enough: impl Fn(&Tally) -> bool) -> Found {
    let _turn = alone();
    let (seed, begun) = (seed(), Instant::now());
    let mut site = Site::new(mutant);
    let mut database = Database::like(&site.url).unwrap();
    site.url = database.url();
    let server = site
        .start()
        .unwrap_or_else(|e| panic!("{e}\n{}", site.last_words()));
    let mut random = Random::new(seed);
    let (mut entries, mut tally) = (Vec::new(), Tally::default());
    let (refused, mut recoveries) = (AtomicU64::new(0), Vec::new());
    for round in 0..restarts {
        let stop = AtomicBool::new(false);
        let (new, recovery) = thread::scope(|scope| {
            let load = scope.spawn(|| load(server.address, seed ^ round, &refused, &stop));
            thread::sleep(Duration::from_millis(100 + random.below(300))); // what is random here
            database.restart().unwrap();
            let recovery = recovery(server.address, round);
            stop.store(true, Ordering::SeqCst);
            (load.join().unwrap(), recovery)
        });
        recoveries.push(recovery);
        let earlier = entries.len();
        entries.extend(new);
        tally
            .ask_again(server.address, &mut entries[earlier..])
            .unwrap();
        if enough(&tally) {
            break;
        }
    }
    tally.ask_again(server.address, &mut entries).unwrap();
    // Those that recoveries were measured with are orders, too.
    tally.count(&site, entries.len() as u64 + recoveries.len() as u64);
    tally.verify(&site);
    recoveries.sort_unstable();
    let recovery_max = recoveries.last().copied().unwrap_or_default();
    let recovery_p50 = recoveries.get(recoveries.len() / 2).copied();
    let figures = json!({
        "seed": seed, "restarts": recoveries.len(), "keys": entries.len(),
        "refused": refused.load(Ordering::Relaxed), "seconds": begun.elapsed().as_secs(),
        "recovery_ms_max": recovery_max.as_millis(),
    });
    tally.report("restarts", &site, &figures);
    Found {
        tally,
        acknowledged: entries.len() as u64,
        recovery_p50: recovery_p50.unwrap_or_default(),
    }
}

/// Places orders until `stop`; a 503 leaves its key unknown, and is no other than it should be.
fn load(address: SocketAddr, seed: u64, refused: &AtomicU64, stop: &AtomicBool) -> Vec<Entry> {
    let client = |number: u64| {
        let mut client = Client::connect(address).unwrap();
        let mut entries = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let key = format!("{seed:016x}-{number}-{}", entries.len());
            let placing = Placing::v1(key, number, 1, 1);
            let answer = client
                .place(&placing)
                .expect("the server answers, whatever it says");
            let mut entry = Entry {
                placing,
                acknowledged: None,
                mismatches: 0,
            };
            if answer.status == 503 && answer.header("retry-after").is_some() {
                refused.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20)); // as a client would
            } else {
                entry.learn(answer);
            }
            entries.push(entry);
        }
        entries
    };
    thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || client(number)))
            .collect();
        threads
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    })
}

/// How long it takes from now until an order is placed.
fn recovery(address: SocketAddr, round: u64) -> Duration {
    let ready = Instant::now();
    let mut client = Client::connect(address).unwrap();
    let placing = Placing::v1(format!("recovery-{round}"), 1, 1, 1);
    while client.place(&placing).unwrap().status != 201 && ready.elapsed() < 5 * RECOVERY_MAX {
        thread::sleep(Duration::from_millis(5)); // a poll, not a guess
    }
    ready.elapsed()
}

//! Load, cut, restart, check, and again: what the kill -9 and the power-cut harness do.

use crate::harness::{Server, Site, Tally, alone, seed};
use crate::load::{self, Entry, Random};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 8;

/// Earlier keys that are asked for again after a cut; after the last one, all of them are.
const SAMPLE: u64 = 50;

/// A restart may take this long. One of fifty may take longer: other tests want the machine, too.
const RESTART_MAX: Duration = Duration::from_secs(1);

/// What ends a round.
pub(crate) enum Cut {
    /// kill -9: what was written stays, synced or not.
    Kill,
    /// kill -9, then the files go back to what was synced.
    Power(Box<dyn Fn(&Site)>),
}

/// Runs `cuts` rounds on a sound server and asserts that nothing is wrong.
pub(crate) fn holds(harness: &str, site: &Site, cut: &Cut, cuts: u64) {
    let outcome = run(harness, site, cut, cuts, |_| false);
    let Outcome { tally, .. } = &outcome;
    assert_eq!(tally.violations(), 0, "{tally:?}\n{}", site.last_words());
    assert!(
        outcome.acknowledged > cuts,
        "too little load to prove anything"
    );
    assert!(
        outcome.restart_p98 <= RESTART_MAX,
        "restarts took {:?}",
        outcome.restart_p98
    );
}

/// Runs at most `cuts` rounds on a mutant and asserts that it is caught.
#[cfg(feature = "mutants")]
pub(crate) fn catches(harness: &str, site: &Site, cut: &Cut, cuts: u64) {
    let outcome = run(harness, site, cut, cuts, |tally| tally.violations() > 0);
    assert!(outcome.tally.violations() > 0, "the mutant was not caught");
}

struct Outcome {
    tally: Tally,
    acknowledged: u64,
    restart_p98: Duration,
}

fn run(
    harness: &str,
    site: &Site,
    cut: &Cut,
    cuts: u64,
    enough: impl Fn(&Tally) -> bool,
) -> Outcome {
    let _turn = alone();
    let (seed, begun) = (seed(), Instant::now());
    let mut random = Random::new(seed);
    let (mut tally, mut acknowledged, mut restarts) = (Tally::default(), 0, Vec::new());
    let mut entries: Vec<Entry> = Vec::new();
    let mut server = Some(
        site.start()
            .unwrap_or_else(|e| panic!("{e}\n{}", site.last_words())),
    );
    while let Some(running) = server.take() {
        let earlier = entries.len();
        let round = seed.wrapping_add(restarts.len() as u64);
        let life = Duration::from_millis(20 + random.below(130));
        let new = live(running, round, life);
        acknowledged += new
            .iter()
            .filter(|entry| entry.acknowledged.is_some())
            .count();
        entries.extend(new);
        if let Cut::Power(restore) = cut {
            restore(site);
        }
        let last = restarts.len() as u64 + 1 == cuts;
        let chosen = choose(&mut entries, earlier, last, &mut random);
        match site.start() {
            Ok(restarted) => {
                restarts.push(restarted.ready_after);
                check(&mut tally, site, &restarted, chosen);
                tally.count(site, entries.len() as u64);
                server = (!last && !enough(&tally)).then_some(restarted);
            }
            Err(error) => tally.unsound.push(format!("no restart: {error}")),
        }
    }
    restarts.sort_unstable();
    let restart_max = restarts.last().copied().unwrap_or_default();
    let share = |hundredths: usize| {
        let place = restarts.len() * hundredths / 100;
        restarts.get(place).copied().unwrap_or_default()
    };
    let (restart_p50, restart_p98) = (share(50), share(98));
    tally.report(
        harness,
        site,
        &json!({
            "seed": seed, "cuts": restarts.len(), "keys": entries.len(),
            "acknowledged": acknowledged, "seconds": begun.elapsed().as_secs(),
            "restart_ms_p50": restart_p50.as_millis(), "restart_ms_p98": restart_p98.as_millis(),
            "restart_ms_max": restart_max.as_millis(),
        }),
    );
    Outcome {
        tally,
        acknowledged: acknowledged as u64,
        restart_p98,
    }
}

/// A server's life under load, from its start to the cut.
fn live(server: Server, seed: u64, life: Duration) -> Vec<Entry> {
    let (address, cut) = (server.address, AtomicBool::new(false));
    thread::scope(|scope| {
        let load = scope.spawn(|| load::run(address, CLIENTS, seed, &cut));
        thread::sleep(life); // how long it lives is what is random here
        cut.store(true, Ordering::SeqCst);
        server.kill();
        load.join().expect("the clients get answers until the cut")
    })
}

/// Asks for what was acknowledged, while `orderd verify` looks at what the cut has left.
fn check(tally: &mut Tally, site: &Site, server: &Server, entries: Vec<&mut Entry>) {
    let verified = thread::scope(|scope| {
        let verify = scope.spawn(|| site.verify());
        if let Err(error) = tally.ask_again(server.address, entries) {
            let problem = format!("no answer after a restart: {error}");
            tally.unsound.push(problem);
        }
        verify.join().expect("verify can be started")
    });
    tally.unsound.extend(verified.err());
}

/// All entries from `earlier` on and a sample of those before; all of them for the last check.
fn choose<'a>(
    entries: &'a mut [Entry],
    earlier: usize,
    last: bool,
    random: &mut Random,
) -> Vec<&'a mut Entry> {
    let odds = (earlier as u64).div_ceil(SAMPLE).max(1);
    let mut chosen = Vec::new();
    for (number, entry) in entries.iter_mut().enumerate() {
        if last || number >= earlier || random.below(odds) == 0 {
            chosen.push(entry);
        }
    }
    chosen
}

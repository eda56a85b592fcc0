//! Orders are placed and driven to their end for a while, as calls fail, hang and lose answers and
//! the process is killed again and again. At every moment, whatever is under way has a wake, which
//! is either leased or due.

use crate::harness::{alone, say, seed, setting};
use crate::load::Random;
use crate::saga::{place, site, stock, wait};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long in CI; `ORDERD_HARNESS_SECONDS` raises it.
const SECONDS: u64 = 10;
/// How many orders are placed between two kills.
const ORDERS: u64 = 200;

/// What is under way, and nobody will be woken for.
const STUCK: &str = "select count(*) from order_rows as o where status in (1, 3)
    and (deadline_at is null or not exists (select 1 from wake_rows as w
      where w.order_id = o.order_id))";

#[test]
fn nothing_under_way_is_ever_without_a_wake() {
    let _turn = alone();
    let seed = seed();
    let time = Duration::from_secs(setting("ORDERD_HARNESS_SECONDS").unwrap_or(SECONDS));
    let mut site = site(None, seed);
    let rates = [
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.2".into()),
        ("ORDERD_SIMULATED_LOST_ANSWER_RATE", "0.05".into()),
        ("ORDERD_SIMULATED_HANG_RATE", "0.005".into()),
        ("ORDERD_FULFILMENT_CALL_TIMEOUT", "500ms".into()),
    ];
    site.environment.extend(rates);
    let mut random = Random::new(seed);
    let mut server = site.start().unwrap();
    stock(&server);
    let (done, looks, stuck) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    let (mut orders, mut kills) = (0, 0);
    let server = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                stuck.fetch_add(site.count(STUCK), Ordering::Relaxed);
                looks.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20)); // so that others get to the file
            }
        });
        while begun.elapsed() < time {
            place(&server, &format!("{kills}"), ORDERS);
            orders += ORDERS;
            thread::sleep(Duration::from_millis(random.below(1_000))); // some time to get somewhere
            server.kill();
            kills += 1;
            server = site.start().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        server
    });
    let end = wait(&site, Instant::now());
    drop(server);
    let (looks, stuck) = (looks.into_inner(), stuck.into_inner());
    let line = json!({
        "harness": "soak", "seconds": begun.elapsed().as_secs(), "orders": orders,
        "kills": kills, "looks": looks, "stuck": stuck, "statuses": end.statuses,
        "violations": end.violations(orders),
    });
    say(&line.to_string());
    assert_eq!(
        stuck, 0,
        "something was under way, and nobody would be woken"
    );
    assert!(looks > 10, "it was looked only {looks} times");
    assert_eq!(end.violations(orders), Vec::<String>::new());
}

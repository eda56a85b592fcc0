//! Orders driven to their end by the real binary, while the simulated payment service fails, loses
//! answers and hangs, and the process is killed: each is completed and charged once, or undone, and
//! the books agree to the unit.

use crate::backend;
use crate::harness::{Server, Site, alone, free_address, say, seed, setting};
use crate::load::{Client, Placing, Random};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// Orders in CI; `ORDERD_HARNESS_ORDERS` raises it.
const ORDERS: u64 = 500;
/// Kills in CI; `ORDERD_HARNESS_KILLS` raises it.
const KILLS: u64 = 10;
/// Every order has ended so long after the last fault.
const END_MAX: Duration = Duration::from_mins(1);
/// Nothing goes on where for so long none has ended.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// What goes wrong: shares of calls.
struct Faults {
    failure: &'static str,
    lost: &'static str,
    hang: &'static str,
    /// Whether tries follow each other fast, where many of them fail.
    fast: bool,
    /// How many tries of a step may fail; empty for the default.
    tries: &'static str,
}

/// What became of the orders.
pub(crate) struct End {
    pub(crate) statuses: BTreeMap<String, u64>,
    pub(crate) findings: Result<(), String>,
    /// From the last order placed, or the last kill, until all had ended.
    took: Duration,
}

impl End {
    pub(crate) fn of(&self, status: &str) -> u64 {
        self.statuses.get(status).copied().unwrap_or_default()
    }

    pub(crate) fn violations(&self, orders: u64) -> Vec<String> {
        let mut found: Vec<String> = self.findings.clone().err().into_iter().collect();
        let ended = self.of("completed") + self.of("failed") + self.of("refunded");
        if ended != orders {
            found.push(format!(
                "{ended} of {orders} have ended: {:?}",
                self.statuses
            ));
        }
        found
    }
}

#[test]
fn orders_are_completed_and_charged_once_though_calls_fail_and_the_process_is_killed() {
    let orders = setting("ORDERD_HARNESS_ORDERS").unwrap_or(ORDERS);
    let kills = setting("ORDERD_HARNESS_KILLS").unwrap_or(KILLS);
    let faults = Faults {
        failure: "0.2",
        lost: "0.05",
        hang: "0.005",
        fast: false,
        tries: "",
    };
    let end = run("saga", None, &faults, orders, kills);
    assert_eq!(end.violations(orders), Vec::<String>::new());
    let given_up_max = (orders / 1_000).max(2);
    assert!(end.of("failed") <= given_up_max, "{:?}", end.statuses);
    assert!(end.took <= END_MAX, "it took {:?}", end.took);
}

#[test]
fn where_half_of_the_calls_fail_the_rest_is_undone() {
    let orders = setting("ORDERD_HARNESS_ORDERS").unwrap_or(ORDERS) / 5;
    let faults = Faults {
        failure: "0.5",
        lost: "0.0",
        hang: "0.0",
        fast: true,
        tries: "",
    };
    let end = run("saga, half", None, &faults, orders, 0);
    assert_eq!(end.violations(orders), Vec::<String>::new());
    let paid = end.of("completed") + end.of("refunded");
    assert!(paid >= orders * 8 / 10, "{:?}", end.statuses);
}

#[test]
fn where_all_calls_fail_nobody_is_charged_and_it_goes_on_once_they_do_not() {
    let _turn = alone();
    let site = site(None, seed());
    let mut sick = site;
    sick.environment
        .push(("ORDERD_SIMULATED_FAILURE_RATE", "1.0".into()));
    sick.environment
        .push(("ORDERD_FULFILMENT_RETRY_BASE", "20ms".into()));
    let server = sick.start().unwrap();
    let orders = ORDERS / 5;
    stock(&server);
    place(&server, "sick", orders);
    // Until each was tried and given back, or given up.
    let begun = Instant::now();
    while waiting(&sick, "attempt = 0") > 0 && begun.elapsed() < END_MAX {
        thread::sleep(Duration::from_millis(20)); // a poll, not a guess
    }
    let statuses = statuses(&sick);
    assert_eq!(statuses.get("completed"), None, "{statuses:?}");
    assert_eq!(charged(&sick), 0);
    server.kill();
    sick.environment
        .retain(|(name, _)| *name != "ORDERD_SIMULATED_FAILURE_RATE");
    sick.environment
        .push(("ORDERD_SIMULATED_FAILURE_RATE", "0.0".into()));
    let _server = sick.start().unwrap();
    let end = wait(&sick, Instant::now());
    report("saga, all", None, &end, orders, 0);
    assert_eq!(end.violations(orders), Vec::<String>::new());
    assert!(end.of("completed") > 0, "{:?}", end.statuses);
}

#[test]
fn services_over_http_are_asked_and_their_books_agree_though_they_are_killed() {
    let _turn = alone();
    let seed = seed();
    let mut site = site(None, seed);
    let books = site.beside("bank").join("books");
    let settings = [
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.2".into()),
        ("ORDERD_SIMULATED_LOST_ANSWER_RATE", "0.05".into()),
        ("ORDERD_SIMULATED_HANG_RATE", "0.01".into()),
        ("ORDERD_SIMULATED_DECLINE_RATE", "0.1".into()),
        ("ORDERD_FULFILMENT_CALL_TIMEOUT", "2s".into()),
        ("ORDERD_SIMULATED_BOOKS", books.clone()),
    ];
    site.environment.extend(settings);
    let address = free_address();
    let (services, url) = (site.providers(address, &books), format!("http://{address}"));
    let urls = [
        ("PAYMENT_API_URL", format!("{url}/payments").into()),
        ("INVENTORY_API_URL", format!("{url}/inventory").into()),
    ];
    site.environment.extend(urls);
    let server = site.start().unwrap();
    stock(&server);
    let orders = ORDERS / 2;
    place(&server, "before", orders / 2);
    services.kill();
    place(&server, "meanwhile", orders - orders / 2);
    let _services = site.providers(address, &books);
    wait(&site, Instant::now());
    refund(&site, &server, orders / 10, false);
    let end = wait(&site, Instant::now());
    report("saga, http", None, &end, orders, 1);
    assert_eq!(end.violations(orders), Vec::<String>::new());
    assert!(end.of("completed") > orders * 7 / 10, "{:?}", end.statuses);
    assert_eq!(
        end.of("refunded"),
        (orders / 10).div_ceil(2),
        "every other one of a tenth"
    );
    assert!(
        end.of("failed") > 0,
        "some are declined: {:?}",
        end.statuses
    );
}

#[cfg(feature = "mutants")]
#[test]
fn an_effect_id_for_each_try_is_caught() {
    caught("effect-id-a-try");
}

#[cfg(feature = "mutants")]
#[test]
fn money_that_is_not_let_go_of_is_caught() {
    caught("no-void");
}

#[cfg(feature = "mutants")]
fn caught(mutant: &'static str) {
    // What is planted shows where an answer is lost and the next call fails: in every sixth order.
    let faults = Faults {
        failure: "0.4",
        lost: "0.3",
        hang: "0.0",
        fast: true,
        tries: "2",
    };
    let orders = ORDERS / 5;
    let end = run("saga", Some(mutant), &faults, orders, 0);
    assert!(
        !end.violations(orders).is_empty(),
        "{mutant} was not caught"
    );
}

pub(crate) fn site(mutant: Option<&'static str>, seed: u64) -> Site {
    let mut site = Site::new(mutant);
    let settings = [
        ("ORDERD_SIMULATED_SEED", (seed % 1_000_000).to_string()),
        ("ORDERD_SIMULATED_LATENCY_MS", "1".to_owned()),
        ("ORDERD_LOG_LEVEL", "warn".to_owned()),
    ];
    let settings = settings.map(|(name, value)| (name, value.into()));
    site.environment.extend(settings);
    site
}

fn run(
    harness: &str,
    mutant: Option<&'static str>,
    faults: &Faults,
    orders: u64,
    kills: u64,
) -> End {
    let _turn = alone();
    let seed = seed();
    let mut site = site(mutant, seed);
    let rates = [
        ("ORDERD_SIMULATED_FAILURE_RATE", faults.failure),
        ("ORDERD_SIMULATED_LOST_ANSWER_RATE", faults.lost),
        ("ORDERD_SIMULATED_HANG_RATE", faults.hang),
    ];
    site.environment
        .extend(rates.map(|(name, rate)| (name, rate.into())));
    if faults.fast {
        site.environment
            .push(("ORDERD_FULFILMENT_RETRY_BASE", "20ms".into()));
        site.environment
            .push(("ORDERD_FULFILMENT_RETRY_MAX", "500ms".into()));
    }
    if !faults.tries.is_empty() {
        site.environment
            .push(("ORDERD_FULFILMENT_TRIES", faults.tries.into()));
    }
    let mut random = Random::new(seed);
    let mut server = site.start().unwrap();
    stock(&server);
    let rounds = kills + 1;
    for round in 0..rounds {
        let part = orders * (round + 1) / rounds - orders * round / rounds;
        place(&server, &format!("{round}"), part);
        if round < kills {
            thread::sleep(Duration::from_millis(random.below(300))); // some time to get somewhere
            server.kill();
            server = site.start().unwrap();
        }
    }
    let first = wait(&site, Instant::now());
    refund(&site, &server, orders / 10, true);
    if kills > 0 {
        server.kill();
        server = site.start().unwrap();
    }
    let mut end = wait(&site, Instant::now());
    end.took = end.took.max(first.took);
    drop(server);
    report(harness, mutant, &end, orders, kills);
    end
}

/// Asks for the money of so many completed orders: of every other one all of it, else a part.
/// `restock`: the goods of those come back.
fn refund(site: &Site, server: &Server, count: u64, restock: bool) {
    let sql = format!(
        "select order_id from orders where status = 'completed' and total_minor > 0
        limit {count}"
    );
    let mut client = Client::connect(server.address).unwrap();
    for (number, row) in backend::read(&site.url, &sql).iter().enumerate() {
        let id = &row[0];
        let body = match number % 2 {
            0 => json!({ "reason": "broken", "restock": restock }),
            _ => json!({ "reason": "late", "amount_minor": 100 }),
        };
        let path = format!("/v1/orders/{id}/refunds");
        let answer = client.request("POST", &path, &body.to_string()).unwrap();
        assert_eq!(answer.status, 202, "{path}");
    }
}

fn report(harness: &str, mutant: Option<&str>, end: &End, orders: u64, kills: u64) {
    let line = json!({
        "harness": harness, "mutant": mutant, "orders": orders, "kills": kills,
        "statuses": end.statuses, "seconds_to_end": end.took.as_secs(),
        "violations": end.violations(orders),
    });
    say(&line.to_string());
}

/// A product with a price, and more than enough of it.
pub(crate) fn stock(server: &Server) {
    let mut client = Client::connect(server.address).unwrap();
    let mut post = |path: &'static str, body: Value| {
        let placing = Placing {
            path,
            key: path.replace('/', "-"),
            body: body.to_string(),
        };
        let answer = client.place(&placing).unwrap();
        assert!(answer.status < 300, "{path}: {}", answer.status);
    };
    let product = json!({ "product_id": "pen", "name": "Pen", "price_minor": 150 });
    post("/v1/products", product);
    post(
        "/v1/stock/pen",
        json!({ "change": 1_000_000, "reason": "delivery" }),
    );
}

pub(crate) fn place(server: &Server, prefix: &str, orders: u64) {
    let mut client = Client::connect(server.address).unwrap();
    for number in 0..orders {
        let placing = placing(&format!("{prefix}-{number}"), number);
        assert_eq!(client.place(&placing).unwrap().status, 201);
    }
}

/// An order of pens, which are counted, or of ink, which is not, or of both.
pub(crate) fn placing(key: &str, number: u64) -> Placing {
    let item = if number.is_multiple_of(2) {
        "pen"
    } else {
        "ink"
    };
    let mut lines = vec![json!({ "item_id": item, "quantity": 1 + number % 3 })];
    if number % 4 != 3 {
        lines.push(json!({ "item_id": "pen", "quantity": 1 }));
    }
    Placing {
        path: "/v1/orders",
        key: key.to_owned(),
        body: json!({ "customer_id": "ada", "lines": lines }).to_string(),
    }
}

/// Waits until nothing is left to do, or it takes too long; then checks everything.
pub(crate) fn wait(site: &Site, since: Instant) -> End {
    let mut last = (u64::MAX, Instant::now());
    while last.0 > 0 && last.1.elapsed() < STUCK_AFTER {
        let left = waiting(site, "true");
        if left != last.0 {
            last = (left, Instant::now());
        }
        thread::sleep(Duration::from_millis(20)); // a poll, not a guess
    }
    End {
        took: since.elapsed(),
        statuses: statuses(site),
        findings: site.verify(),
    }
}

pub(crate) fn waiting(site: &Site, which: &str) -> u64 {
    site.count(&format!("select count(*) from outbox where {which}"))
}

fn statuses(site: &Site) -> BTreeMap<String, u64> {
    let sql = "select status, count(*) from orders group by status";
    let rows = backend::read(&site.url, sql);
    let status = |row: &Vec<String>| (row[0].clone(), row[1].parse().unwrap());
    rows.iter().map(status).collect()
}

/// How much money was taken, by the orders.
fn charged(site: &Site) -> u64 {
    site.count("select coalesce(sum(captured_minor), 0) from order_rows")
}

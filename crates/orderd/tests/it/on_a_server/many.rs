//! Two servers that take orders and two workers that drive them to their end, on one database.

use crate::backend;
use crate::harness::{Server, Site, Tally, alone, free_address, say, seed, setting};
use crate::load::{Client, Placing, Random};
use crate::races::race_at;
use crate::saga::{place, site, stock, wait};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// Orders in CI; `ORDERD_HARNESS_ORDERS` raises it.
const ORDERS: u64 = 500;
/// Kills of a worker in CI; `ORDERD_HARNESS_KILLS` raises it.
const KILLS: u64 = 10;
const BUYERS: u64 = 1_000;
const UNITS: u64 = 100;

#[test]
fn one_key_at_two_servers_places_one_order() {
    if backend::is_file() {
        return;
    }
    let _turn = alone();
    let site = Site::new(None);
    let servers = [api(&site), api(&site)];
    let tally = race_at(&site, &servers.each_ref().map(|server| server.address));
    assert_eq!(tally, Tally::default(), "{}", site.last_words());
}

#[test]
fn of_many_buyers_at_two_servers_as_many_buy_as_there_are_units() {
    if backend::is_file() {
        return;
    }
    let _turn = alone();
    let site = site(None, seed());
    let servers = [api(&site), api(&site)];
    let mut clients = servers
        .each_ref()
        .map(|server| Client::connect(server.address).unwrap());
    let restocked = clients[0].place(&Placing {
        path: "/v1/stock/pen",
        key: "restock".to_owned(),
        body: json!({ "change": UNITS, "reason": "delivery" }).to_string(),
    });
    assert!(restocked.unwrap().status < 300);
    let (services, site) = services(site);
    let workers = [site.start_worker(), site.start_worker()];
    for buyer in 0..BUYERS {
        let placing = Placing {
            path: "/v1/orders",
            key: format!("buyer-{buyer}"),
            body: json!({ "customer_id": "ada", "lines": [{ "item_id": "pen", "quantity": 1 }] })
                .to_string(),
        };
        let client = &mut clients[usize::from(buyer % 2 == 0)];
        assert_eq!(client.place(&placing).unwrap().status, 201);
    }
    let end = wait(&site, Instant::now());
    drop((workers, services, servers));
    say(&json!({ "harness": "many buyers", "statuses": end.statuses }).to_string());
    assert_eq!(end.violations(BUYERS), Vec::<String>::new());
    assert_eq!(end.of("completed"), UNITS, "{:?}", end.statuses);
    assert_eq!(end.of("failed"), BUYERS - UNITS, "{:?}", end.statuses);
}

#[test]
fn orders_of_two_servers_end_once_though_calls_fail_and_either_worker_is_killed() {
    if backend::is_file() {
        return;
    }
    let _turn = alone();
    let orders = setting("ORDERD_HARNESS_ORDERS").unwrap_or(ORDERS);
    let kills = setting("ORDERD_HARNESS_KILLS").unwrap_or(KILLS);
    let seed = seed();
    let mut site = site(None, seed);
    site.environment.extend([
        ("ORDERD_SIMULATED_FAILURE_RATE", "0.2".into()),
        ("ORDERD_SIMULATED_LOST_ANSWER_RATE", "0.05".into()),
        ("ORDERD_FULFILMENT_CALL_TIMEOUT", "2s".into()),
    ]);
    let (services, site) = services(site);
    let servers = [api(&site), api(&site)];
    stock(&servers[0]);
    let mut workers = [site.start_worker(), site.start_worker()];
    let mut random = Random::new(seed);
    for round in 0..kills {
        let part = orders * (round + 1) / kills - orders * round / kills;
        let server = &servers[usize::from(round % 2 == 0)];
        place(server, &format!("{round}"), part);
        thread::sleep(Duration::from_millis(random.below(300))); // some time to get somewhere
        let chosen = usize::from(random.below(2) == 0);
        let killed = std::mem::replace(&mut workers[chosen], site.start_worker());
        killed.kill();
    }
    let end = wait(&site, Instant::now());
    drop((workers, services, servers));
    let line = json!({
        "harness": "many workers", "orders": orders, "kills": kills, "statuses": end.statuses,
        "violations": end.violations(orders),
    });
    say(&line.to_string());
    assert_eq!(end.violations(orders), Vec::<String>::new());
    assert!(end.of("completed") >= orders * 9 / 10, "{:?}", end.statuses);
}

/// A server that only takes orders.
fn api(site: &Site) -> Server {
    let server = site.start_at(free_address(), &["--roles", "api"]);
    server.unwrap_or_else(|error| panic!("{error}\n{}", site.last_words()))
}

/// The simulated services as a process of their own, since workers that share orders have to share
/// the books; and the site whose workers ask them.
fn services(mut site: Site) -> (Server, Site) {
    let books = site.beside("bank").join("books");
    let address = free_address();
    let services = site.providers(address, &books);
    let url = format!("http://{address}");
    site.environment.extend([
        ("ORDERD_SIMULATED_BOOKS", books),
        ("PAYMENT_API_URL", format!("{url}/payments").into()),
    ]);
    (services, site)
}

//! Many clients with one key at one moment: one order, one answer.

use crate::backend;
use crate::harness::{Server, Site, Tally, alone, seed};
use crate::load::{Answer, Client, Placing};
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

const CLIENTS: u16 = 64;

/// An emulator does one thing at a time.
fn keys() -> u64 {
    if backend::is_dynamodb() { 50 } else { 100 }
}

#[test]
fn one_key_at_one_moment_places_one_order() {
    let _turn = alone();
    let site = Site::new(None);
    let tally = race(&site, &site.start().unwrap());
    assert_eq!(tally, Tally::default(), "{}", site.last_words());
}

#[test]
fn of_different_payloads_under_one_key_one_wins() {
    let _turn = alone();
    let site = Site::new(None);
    let server = site.start().unwrap();
    for key in 0..keys() {
        let answers = post_at_once(&[server.address], |client| {
            Placing::v1(format!("key-{key}"), key, key, 1 + u64::from(client % 4))
        });
        let placed: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 201)
            .collect();
        assert_eq!(
            placed.len(),
            usize::from(CLIENTS / 4),
            "one payload of four has won"
        );
        assert!(placed.iter().all(|answer| answer.body == placed[0].body));
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer.status, 201 | 409))
        );
    }
    let mut tally = Tally::default();
    tally.count(&site, keys());
    tally.verify(&site);
    tally.report(
        "races of payloads",
        &site,
        &json!({"clients": CLIENTS, "keys": keys()}),
    );
    assert_eq!(tally, Tally::default(), "{}", site.last_words());
}

/// Every client posts every key, all clients the same one at the same moment.
pub(crate) fn race(site: &Site, server: &Server) -> Tally {
    race_at(site, &[server.address])
}

/// As [`race`], at several servers: every other client at another one.
pub(crate) fn race_at(site: &Site, addresses: &[SocketAddr]) -> Tally {
    let mut tally = Tally::default();
    let seed = seed();
    for key in 0..keys() {
        let answers = post_at_once(addresses, |_| {
            Placing::v1(format!("{seed:016x}-{key}"), key, key, 1)
        });
        let mut bodies: HashMap<(u16, &[u8]), u64> = HashMap::new();
        for answer in &answers {
            *bodies.entry((answer.status, &answer.body)).or_default() += 1;
        }
        let same = bodies
            .iter()
            .filter(|((status, _), _)| *status == 201)
            .map(|(_, n)| *n)
            .max();
        tally.mismatched += u64::from(CLIENTS) - same.unwrap_or_default();
    }
    tally.count(site, keys());
    tally.verify(site);
    tally.report(
        "races",
        site,
        &json!({"seed": seed, "clients": CLIENTS, "keys": keys()}),
    );
    tally
}

fn post_at_once(addresses: &[SocketAddr], placing: impl Fn(u16) -> Placing + Sync) -> Vec<Answer> {
    let (barrier, placing) = (Barrier::new(CLIENTS.into()), &placing);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let barrier = &barrier;
                let address = addresses[usize::from(number) % addresses.len()];
                scope.spawn(move || {
                    let client = Client::connect(address);
                    barrier.wait();
                    client.unwrap().place(&placing(number)).unwrap()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

//! A copy of the file that is made while orders are placed: what was acknowledged before is in it,
//! and it serves where it is restored.

use crate::harness::{Site, Tally, alone, seed};
use crate::load;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: u64 = 4;

#[test]
fn a_backup_made_beside_a_server_is_whole_and_serves_where_it_is_restored() {
    let _turn = alone();
    let site = Site::new(None);
    let server = site.start().unwrap();
    let copy = site.live.join("copy.db");
    let run = |seed: u64, meanwhile: &dyn Fn()| {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let load = scope.spawn(|| load::run(server.address, CLIENTS, seed, &stop));
            thread::sleep(Duration::from_millis(100)); // some orders
            meanwhile();
            stop.store(true, Ordering::SeqCst);
            load.join().unwrap()
        })
    };
    let mut before = run(seed(), &|| ());
    run(seed(), &|| succeeds(&site, "backup", &copy));
    assert!(!orderd(&site, "backup", &copy), "a file was overwritten");
    assert!(!orderd(&site, "restore", &copy), "a server lost its file");
    server.kill();

    let elsewhere = Site::new(None);
    succeeds(&elsewhere, "restore", &copy);
    let mut tally = Tally::default();
    tally.verify(&elsewhere);
    let server = elsewhere.start().unwrap();
    tally.ask_again(server.address, &mut before).unwrap();
    assert!(before.len() > 20, "too little to prove anything");
    assert_eq!(tally, Tally::default(), "{}", elsewhere.last_words());
}

fn succeeds(site: &Site, verb: &str, file: &Path) {
    assert!(orderd(site, verb, file), "{verb} failed");
}

fn orderd(site: &Site, verb: &str, file: &Path) -> bool {
    let status = Command::new(env!("CARGO_BIN_EXE_orderd"))
        .arg(verb)
        .arg(file)
        .env_clear()
        .env("ORDERD_DATABASE_URL", &site.url)
        .status();
    status.unwrap().success()
}

//! A full disk: placing is refused and says when to try again, everything else goes on, and nothing
//! acknowledged is lost. Needs root, for a small file system of its own.

use crate::harness::{Server, Site, Tally, alone, say};
use crate::load::{Client, Entry, Placing};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Orders that are tried after the first refusal.
const REFUSED: usize = 200;

/// After there is room again, placing may take this long to succeed.
const RECOVERY_MAX: Duration = Duration::from_secs(1);

#[test]
fn a_full_disk_refuses_orders_and_loses_none() {
    let _turn = alone();
    let site = Site::new(None);
    let Some(_mounted) = SmallDisk::mount(site.live.clone()) else {
        return;
    };
    let ballast = site.live.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let server = site.start().unwrap();

    let mut entries = fill(&server);
    let refused = entries
        .iter()
        .filter(|entry| entry.acknowledged.is_none())
        .count();
    let mut tally = Tally::default();
    let placed = entries
        .iter_mut()
        .filter(|entry| entry.acknowledged.is_some());
    tally.ask_again(server.address, placed).unwrap();
    assert_eq!(tally, Tally::default(), "replays and reads on a full disk");

    fs::remove_file(&ballast).unwrap();
    let recovery = wait_for_room(&server, &mut entries);
    entries.retain(|entry| entry.acknowledged.is_some());
    tally.ask_again(server.address, &mut entries).unwrap();
    tally.count(&site, entries.len() as u64); // those refused for good have left nothing
    tally.verify(&site);
    let figures = json!({
        "keys": entries.len(), "refused": refused, "recovery_ms": recovery.as_millis(),
    });
    tally.report("disk", &site, &figures);
    assert_eq!(tally, Tally::default(), "{}", site.last_words());
    assert!(recovery <= RECOVERY_MAX, "placing again took {recovery:?}");
}

/// Places orders until the disk is full, and some more.
fn fill(server: &Server) -> Vec<Entry> {
    let mut client = Client::connect(server.address).unwrap();
    let (mut entries, mut refused) = (Vec::new(), 0);
    while refused < REFUSED {
        let number = entries.len() as u64;
        let placing = Placing::v1(format!("key-{number}"), number, number, 1);
        let answer = client.place(&placing).unwrap();
        let mut entry = Entry {
            placing,
            acknowledged: None,
            mismatches: 0,
        };
        if answer.status == 201 {
            entry.acknowledged = Some(answer.body);
        } else {
            let problem: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                (answer.status, &problem["status"]),
                (503, &json!(503)),
                "{problem}"
            );
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
            assert!(answer.header("retry-after").is_some(), "{}", answer.head);
            refused += 1;
        }
        entries.push(entry);
    }
    entries
}

/// Tries the last, refused order until it is placed.
fn wait_for_room(server: &Server, entries: &mut [Entry]) -> Duration {
    let begun = Instant::now();
    let mut client = Client::connect(server.address).unwrap();
    let last = entries.last_mut().expect("there were refusals");
    while begun.elapsed() < 10 * RECOVERY_MAX {
        let answer = client.place(&last.placing).unwrap();
        if answer.status == 201 {
            last.acknowledged = Some(answer.body);
            break;
        }
        thread::sleep(Duration::from_millis(5)); // a poll, not a guess
    }
    begun.elapsed()
}

/// A file system of three megabytes, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=3m", "orderd-test"])
            .arg(&at);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        say(
            "SKIPPED: the full-disk harness, since no file system can be mounted here. Run it as root.",
        );
        assert!(
            !(is_root() && is_ci()),
            "in CI the full-disk harness must run"
        );
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n")
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}

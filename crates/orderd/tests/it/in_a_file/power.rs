//! Power cuts at random moments under load, on a disk that forgets what was not synced
//! (`tests/shim/powerloss.c`): nothing acknowledged is lost.

use crate::campaign::{self, Cut};
use crate::harness::{Site, setting};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cuts in CI; `ORDERD_HARNESS_CRASHES` raises it.
const CUTS: u64 = 100;

#[test]
fn nothing_acknowledged_is_lost_by_power_cuts() {
    let (site, cut) = forgetful(None);
    let cuts = setting("ORDERD_HARNESS_CRASHES").unwrap_or(CUTS);
    campaign::holds("power", &site, &cut, cuts);
}

#[cfg(feature = "mutants")]
#[test]
fn synchronous_normal_is_caught_by_power_cuts() {
    let (site, cut) = forgetful(Some("synchronous-normal"));
    campaign::catches("power", &site, &cut, CUTS);
}

#[cfg(feature = "mutants")]
#[test]
fn answering_before_the_commit_is_caught_by_power_cuts() {
    let (site, cut) = forgetful(Some("answer-before-commit"));
    campaign::catches("power", &site, &cut, CUTS);
}

/// A site on a disk that forgets, and the cut that makes it do so.
fn forgetful(mutant: Option<&'static str>) -> (Site, Cut) {
    let mut site = Site::new(mutant);
    let shadow = site.beside("shadow");
    let library = compile(&site.beside("shim"));
    site.environment = vec![
        ("LD_PRELOAD", library),
        ("POWERLOSS_DIR", site.live.clone()),
        ("POWERLOSS_SHADOW", shadow.clone()),
        // A payment service outside does not forget when this machine does.
        ("ORDERD_SIMULATED_BOOKS", site.beside("bank").join("books")),
    ];
    (
        site,
        Cut::Power(Box::new(move |site| restore(&shadow, &site.live))),
    )
}

fn compile(directory: &Path) -> PathBuf {
    let library = directory.join("powerloss.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/powerloss.c");
    let status = Command::new("cc")
        .args([
            "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
        ])
        .args([&library, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .expect("a C compiler, which SQLite needs as well");
    assert!(status.success(), "the shim does not compile");
    library
}

/// Puts back what the disk remembers: the synced part of each file, and no other files.
fn restore(shadow: &Path, live: &Path) {
    fs::remove_dir_all(live).unwrap();
    fs::create_dir(live).unwrap();
    for file in fs::read_dir(shadow).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), live.join(file.file_name())).unwrap();
    }
}

//! `cargo xtask vendor`: the viewer of the API's documentation, which is kept in the repository:
//! whether it is what its README says, or another version of it.

use anyhow::{Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::npm;

const DIRECTORY: &str = "crates/api/assets/scalar";
const PACKAGE: &str = "@scalar/api-reference";
const FILE: &str = "dist/browser/standalone.js";
const USAGE: &str = "\
Usage: cargo xtask vendor [VERSION]
  without VERSION, checks the digest of what is there; with it, fetches that version by npm";

/// Checks what is there, or fetches another version.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    match arguments {
        [] => check(root),
        [version] if version.starts_with(|first: char| first.is_ascii_digit()) => {
            fetch(root, version)?;
            check(root)
        }
        _ => bail!(USAGE),
    }
}

/// Whether what is there unpacks to the digest in its README.
fn check(root: &Path) -> Result<()> {
    let directory = root.join(DIRECTORY);
    let mut gunzip = Command::new("gzip");
    gunzip.args(["-dc", "standalone.js.gz"]);
    let plain = gunzip.current_dir(&directory).output()?;
    ensure!(
        plain.status.success(),
        "standalone.js.gz cannot be unpacked"
    );
    let digest = digest(&plain.stdout);
    let readme = fs::read_to_string(directory.join("README.md"))?;
    ensure!(
        readme.contains(&format!("`{digest}`")),
        "{DIRECTORY}/standalone.js.gz unpacks to {digest}, which its README does not name\n    \
         fix: cargo xtask vendor VERSION"
    );
    println!("{PACKAGE}: {digest}");
    Ok(())
}

fn fetch(root: &Path, version: &str) -> Result<()> {
    let directory = root.join(DIRECTORY);
    let workshop = tempfile::tempdir()?;
    let package = npm::fetch(&format!("{PACKAGE}@{version}"), workshop.path())?;
    let mut gzip = Command::new("gzip");
    // Without the name and the time of the file, so that the same version gives the same bytes.
    let packed = gzip
        .args(["-9", "-n", "-c"])
        .arg(package.join(FILE))
        .output()?;
    ensure!(packed.status.success(), "gzip failed");
    fs::write(directory.join("standalone.js.gz"), packed.stdout)?;

    let digest = digest(&fs::read(package.join(FILE))?);
    let readme = directory.join("README.md");
    let lines = fs::read_to_string(&readme)?;
    let line = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        match cells[..] {
            ["", " version ", ..] => format!("| version | {version} |\n"),
            ["", name, ..] if name.contains("sha256") => format!("|{name}| `{digest}` |\n"),
            _ => format!("{line}\n"),
        }
    };
    fs::write(&readme, lines.lines().map(line).collect::<String>())?;
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a String takes all that is written to it");
    }
    text
}

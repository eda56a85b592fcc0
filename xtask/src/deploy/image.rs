//! The image, the archive and the function's zip: built as `deploy/docker` says, and run.
//!
//! Where base images cannot be fetched, stand-ins take their names: Debian with this machine's Rust for
//! the one that compiles, and the packages of the other's without a shell. What is compiled is compiled
//! from nothing, so this is the longest of the checks; `ORDERD_IMAGE_PROFILE=dev` compiles less well
//! and in less time, and is not measured.

use super::walkthrough;
use super::Outcome;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xtask::finish;
use xtask::servers::daemon::free_port;
use xtask::tools::{below_target, from_debian, install, output};

const COMPILES: &str = "docker.io/library/rust:1.95-bookworm";
const RUNS: &str = "gcr.io/distroless/cc-debian12:nonroot";
const IMAGE: &str = "localhost/orderd:deploy-check";
/// Our own layers, with all features.
const BYTES_MAX: u64 = 30 << 20;
const START_MAX: Duration = Duration::from_millis(100);
/// The newest version of glibc that the runtime of AWS Lambda has.
const GLIBC: (u32, u32) = (2, 34);

/// Builds all three, and walks through the image.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    let buildah = match engine() {
        Ok(buildah) => buildah,
        Err(why) => return Ok(Outcome::NotRun(format!("{why:#}"))),
    };
    let profile = std::env::var("ORDERD_IMAGE_PROFILE").unwrap_or_else(|_| "dist".to_owned());
    stand_in(&buildah)?;
    let out = below_target("image");
    fs::create_dir_all(&out)?;
    let build = |file: &str, rest: &[&str]| {
        let mut command = Command::new(&buildah);
        command
            .args(["bud", "--isolation", "chroot", "--network", "host", "--pull=never"])
            .args(["--layers", "--build-arg", &format!("PROFILE={profile}")])
            .args(["--volume", &format!("{}:/usr/local/rustup:ro", rustup()?)])
            .args(["--volume", &format!("{}:/usr/local/cargo", cargo()?)])
            .args(["--file", file])
            .args(rest)
            .arg(".");
        finish(command.current_dir(root).stdout(Stdio::null()))
    };
    let to = format!("type=local,dest={}", out.display());
    build("deploy/docker/Dockerfile", &["--tag", IMAGE])?;
    build("deploy/docker/Dockerfile", &["--target", "archive", "--output", &to])?;
    build("deploy/docker/function.Dockerfile", &["--output", &to])?;
    let archive = files_of(Command::new("tar").arg("tzf").arg(out.join("orderd.tar.gz")))?;
    for file in ["usr/local/bin/orderd", "etc/systemd/system/orderd.service", "etc/orderd/orderd.toml"] {
        ensure!(archive.contains(&file.to_owned()), "the archive has no {file}: {archive:?}");
    }
    let zip = out.join("function.zip");
    let zipped = files_of(Command::new("python3").args(["-m", "zipfile", "--list"]).arg(&zip))?;
    ensure!(zipped.iter().any(|line| line.starts_with("bootstrap ")), "{zipped:?}");
    let bytes = layers(&buildah)?;
    let started = run(profile == "dist")?;
    if profile == "dist" {
        ensure!(bytes <= BYTES_MAX, "our layers have {bytes} bytes");
        ensure!(started <= START_MAX, "it took {started:?} to start");
        glibc(&out)?;
    }
    let megabytes = |bytes: u64| bytes.div_ceil(100_000) as f64 / 10.0;
    Ok(Outcome::Holds(format!(
        "our layers {} MB, serves after {} ms, function.zip {} MB, profile {profile}",
        megabytes(bytes),
        started.as_millis(),
        megabytes(fs::metadata(zip)?.len()),
    )))
}

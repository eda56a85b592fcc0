//! The image, the archive and the function's zip: built as `deploy/docker` says, and run.
//!
//! Where base images cannot be fetched, stand-ins take their names: Debian with this machine's Rust for
//! the one that compiles, and the packages of the other's without a shell. All is compiled from nothing:
//! quickly, to see that it works, or as it is released, to see how large and how fast that is.

use super::server::Server;
use super::{Outcome, walkthrough};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xtask::finish;
use xtask::servers::daemon::free_port;
use xtask::tools::{below_target, from_debian, output};

const COMPILES: &str = "docker.io/library/rust:1.95-bookworm";
const RUNS: &str = "gcr.io/distroless/cc-debian12:nonroot";
const IMAGE: &str = "localhost/orderd:deploy-check";
/// Our own layers, with all features.
const BYTES_MAX: u64 = 30 << 20;
const START_MAX: Duration = Duration::from_millis(100);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const BINARY: &str = "usr/local/bin/orderd";
/// The glibc that the runtime of AWS Lambda has is 2.34.
const GLIBC_MINOR_MAX: u32 = 34;

/// Builds all three, and walks through the image.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    built(root, "dev")
}

/// The same as it is released, and measured.
pub(super) fn released(root: &Path) -> Result<Outcome> {
    built(root, "dist")
}

fn built(root: &Path, profile: &str) -> Result<Outcome> {
    if let Err(why) = engine() {
        return Ok(Outcome::NotRun(format!("{why:#}")));
    }
    stand_in()?;
    let out = below_target("image");
    fs::create_dir_all(&out)?;
    let toolchain = toolchain()?;
    let build = |rest: &[&str]| {
        let mut command = Command::new("buildah");
        command
            .args([
                "bud",
                "--format=docker",
                "--isolation=chroot",
                "--network=host",
                "--pull=never",
            ])
            .args(["--layers", "--build-arg", &format!("PROFILE={profile}")])
            .args(&toolchain)
            .args(["--file", "deploy/docker/Dockerfile"])
            .args(rest)
            .arg(".");
        finish(command.current_dir(root).stdout(Stdio::null()))
    };
    let to = format!("type=local,dest={}", out.display());
    build(&["--tag", IMAGE])?;
    run()?;
    let bytes = layers()?;
    build(&["--target", "archive", "--output", &to])?;
    holds_what_a_machine_needs(&out)?;
    let started = starts(&out)?;
    build(&["--target", "function", "--output", &to])?;
    let zip = out.join("function.zip");
    let mut list = Command::new("python3");
    let zipped = lines(list.args(["-m", "zipfile", "--list"]).arg(&zip))?;
    let holds = zipped.iter().any(|line| line.starts_with("bootstrap "));
    ensure!(holds, "it holds no bootstrap: {zipped:?}");
    if profile == "dist" {
        ensure!(bytes <= BYTES_MAX, "our layers have {bytes} bytes");
        ensure!(started <= START_MAX, "it took {started:?} to start");
        let mut unzip = Command::new("python3");
        finish(
            unzip
                .args(["-m", "zipfile", "--extract"])
                .arg(&zip)
                .arg(&out),
        )?;
        glibc(&out.join(BINARY))?;
        glibc(&out.join("bootstrap"))?;
    }
    let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
    Ok(Outcome::Holds(format!(
        "our layers {}, serves after {} ms, function.zip {}, profile {profile}",
        megabytes(bytes),
        started.as_millis(),
        megabytes(fs::metadata(zip)?.len()),
    )))
}

/// Whether the archive holds what a machine of one's own needs.
fn holds_what_a_machine_needs(out: &Path) -> Result<()> {
    let archive = lines(
        Command::new("tar")
            .arg("tzf")
            .arg(out.join("orderd.tar.gz")),
    )?;
    for file in [
        BINARY,
        "etc/systemd/system/orderd.service",
        "etc/systemd/system/orderd.socket",
        "etc/nginx/conf.d/orderd-http.conf",
        "etc/nginx/sites-available/orderd.conf",
        "etc/nginx/sites-available/orderd-tls.conf",
        "etc/nginx/snippets/orderd-proxy.conf",
        "etc/orderd/orderd.toml",
    ] {
        let there = archive.iter().any(|it| it == file);
        ensure!(there, "the archive has no {file}: {archive:?}");
    }
    Ok(())
}

/// The programs that build and run, once they are here.
fn engine() -> Result<()> {
    from_debian("buildah", &["buildah", "podman", "runc", "mmdebstrap"])?;
    output(Command::new("buildah").arg("info"))?;
    Ok(())
}

/// Makes what stands in for base images that are not here and cannot be fetched.
fn stand_in() -> Result<()> {
    let path = "ENV=PATH=/usr/local/cargo/bin:/usr/bin:/bin";
    let homes = [
        "ENV=RUSTUP_HOME=/usr/local/rustup",
        "ENV=CARGO_HOME=/usr/local/cargo",
    ];
    for (image, variant, packages, changes) in [
        (
            COMPILES,
            "minbase",
            "ca-certificates,gcc,libc6-dev,python3",
            &[path, homes[0], homes[1]][..],
        ),
        (RUNS, "extract", "base-files,libc6,libgcc-s1", &[]),
    ] {
        let there = Command::new("podman")
            .args(["image", "exists", image])
            .status()?;
        if there.success()
            || output(Command::new("podman").args(["pull", "--quiet", image])).is_ok()
        {
            continue;
        }
        println!("Making a stand-in for {image}, which cannot be fetched here");
        let directory = tempfile::tempdir()?;
        let tar = directory.path().join("root.tar");
        let mut bootstrap = Command::new("mmdebstrap");
        bootstrap
            .args([
                "--quiet",
                "--variant",
                variant,
                "--include",
                packages,
                // What a client of HTTPS looks for at its start.
                "--extract-hook",
                r#"mkdir -p "$1/etc/ssl/certs" && cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/""#,
                "bookworm",
            ])
            .arg(&tar);
        output(&mut bootstrap)?;
        let mut import = Command::new("podman");
        import
            .args(["import", "--quiet"])
            .args(changes.iter().flat_map(|change| ["--change", change]))
            .arg(&tar)
            .arg(image);
        output(&mut import)?;
    }
    Ok(())
}

/// The image as a container, with no right that it can do without.
fn run() -> Result<()> {
    let port = free_port()?;
    let mut run = podman(&["--runtime", "runc", "run", "--detach", "--network", "host"]);
    run.args([
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
    ])
    // Where there are limits already, higher ones are refused.
    .args([
        "--ulimit",
        "nofile=1024:4096",
        "--ulimit",
        "nproc=4096:4096",
    ])
    .args(["--env", &format!("ORDERD_SERVER_LISTEN=127.0.0.1:{port}")])
    .args(["--env", "ORDERD_FAULTS_ENABLED=true", IMAGE]);
    let container = Container(output(&mut run)?.trim().to_owned());
    let of = |format: &str| {
        let mut inspect = podman(&["inspect", "--format", format]);
        output(inspect.arg(&container.0)).map(|text| text.trim().to_owned())
    };
    serves(&container)?;
    let status = fs::read_to_string(format!("/proc/{}/status", of("{{.State.Pid}}")?))?;
    ensure!(
        status.contains("\nUid:\t65532\t65532\t"),
        "it runs as another:\n{status}"
    );
    let url = format!("http://127.0.0.1:{port}");
    output(&mut podman(&["healthcheck", "run", &container.0]))?;
    walkthrough::all(&url)?;
    output(&mut podman(&["stop", "--time", "30", &container.0]))?;
    let code = of("{{.State.ExitCode}}")?;
    ensure!(code == "0", "it was told to stop, and ended with {code}");
    Ok(())
}

/// A container that is removed when dropped.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        drop(output(&mut podman(&[
            "rm",
            "--force",
            "--volumes",
            &self.0,
        ])));
    }
}

/// Waits until the container says that it serves.
fn serves(container: &Container) -> Result<()> {
    let begun = Instant::now();
    loop {
        let said = podman(&["logs", &container.0]).output()?;
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        if said.contains(r#""Serving at "#) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < START_TIMEOUT,
            "it does not serve:\n{said}"
        );
        sleep(Duration::from_millis(50));
    }
}

/// How long the binary takes from nothing until it takes requests, to some 20 ms.
fn starts(out: &Path) -> Result<Duration> {
    let mut unpack = Command::new("tar");
    unpack.args(["--extract", "--gzip", "--file", "orderd.tar.gz", BINARY]);
    finish(unpack.current_dir(out))?;
    let begun = Instant::now();
    let _server = Server::start(&out.join(BINARY), &["serve"])?;
    Ok(begun.elapsed())
}

/// How many bytes the image has beside its base.
fn layers() -> Result<u64> {
    let size = |image: &str| -> Result<u64> {
        let said = output(&mut podman(&[
            "image",
            "inspect",
            "--format",
            "{{.Size}}",
            image,
        ]))?;
        Ok(said.trim().parse()?)
    };
    Ok(size(IMAGE)?.saturating_sub(size(RUNS)?))
}

/// Whether a binary runs where no newer glibc is than AWS Lambda's.
fn glibc(binary: &Path) -> Result<()> {
    let symbols = output(Command::new("objdump").arg("--dynamic-syms").arg(binary))?;
    let needed = symbols.split("GLIBC_2.").skip(1).filter_map(|rest| {
        let digits = rest.split(|it: char| !it.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    });
    let newest = needed.max().context("it links glibc")?;
    ensure!(
        newest <= GLIBC_MINOR_MAX,
        "it needs glibc 2.{newest}, and 2.{GLIBC_MINOR_MAX} is there"
    );
    Ok(())
}

fn podman(arguments: &[&str]) -> Command {
    let mut command = Command::new("podman");
    command.args(arguments);
    command
}

fn lines(command: &mut Command) -> Result<Vec<String>> {
    Ok(output(command)?.lines().map(str::to_owned).collect())
}

/// What lends a stand-in the Rust of this machine; the image itself brings one.
fn toolchain() -> Result<Vec<String>> {
    let mut environment = podman(&["image", "inspect", "--format", "{{.Config.Env}}", COMPILES]);
    if output(&mut environment)?.contains("RUST_VERSION=") {
        return Ok(Vec::new());
    }
    let home = PathBuf::from(std::env::var_os("HOME").context("there is no HOME")?);
    let volume = |variable: &str, usual: &str, to: &str| {
        let from = std::env::var_os(variable).map_or_else(|| home.join(usual), PathBuf::from);
        format!("--volume={}:{to}", from.display())
    };
    Ok(vec![
        volume("RUSTUP_HOME", ".rustup", "/usr/local/rustup:ro"),
        volume("CARGO_HOME", ".cargo", "/usr/local/cargo"),
    ])
}

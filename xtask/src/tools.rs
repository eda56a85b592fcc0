//! Programs of others that the chores need: found on this machine, or installed where that is possible.

use crate::finish;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs from the Python Package Index, in a virtual environment of their own.
#[derive(Clone, Copy, Debug)]
pub struct Venv {
    /// What the environment is called, below `target`.
    pub name: &'static str,
    /// What is installed in it, each as `package==version`.
    pub packages: &'static [&'static str],
}

impl Venv {
    /// A program of it, installed if it is not there.
    ///
    /// # Errors
    /// Where there is no Python with `venv`, or the packages cannot be had.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let _turn = turn()?;
        let environment = below_target(self.name);
        let installed = environment.join("installed");
        let wanted = self.packages.join("\n");
        if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
            println!("Installing {}", self.packages.join(", "));
            let mut venv = Command::new("python3");
            finish(venv.args(["-m", "venv", "--clear"]).arg(&environment))
                .context("python3 -m venv")?;
            let mut pip = Command::new(environment.join("bin/pip"));
            let quietly = ["--quiet", "--disable-pip-version-check", "install"];
            finish(pip.args(quietly).args(self.packages))?;
            fs::write(installed, wanted)?;
        }
        Ok(environment.join("bin").join(name))
    }
}

/// One at a time, in all processes, until what this gives is dropped: checks run side by side, and
/// installers lock each other out.
fn turn() -> Result<File> {
    fs::create_dir_all(below_target(""))?;
    let file = File::create(below_target("installing.lock"))?;
    file.lock()?;
    Ok(file)
}

/// A directory for what chores make.
#[must_use]
pub fn below_target(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    workspace.join(name)
}

/// A program by its name: on the PATH, or where only root has it there.
#[must_use]
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|directory| directory.join(program))
        .find(|program| program.is_file())
}

/// A program by its name, from Debian's `packages` if it is not there.
///
/// # Errors
/// Where it is not there, and cannot be installed.
pub fn from_debian(program: &str, packages: &[&str]) -> Result<PathBuf> {
    if let Some(found) = on_path(program) {
        return Ok(found);
    }
    install(packages)?;
    on_path(program).with_context(|| format!("{program} is installed, but not found"))
}

/// Installs packages of Debian's.
///
/// # Errors
/// Where that is not possible here.
pub fn install(packages: &[&str]) -> Result<()> {
    let _turn = turn()?;
    println!("Installing {}", packages.join(", "));
    apt(&["update", "-qq"])?;
    let quietly = ["install", "-y", "-qq", "--no-install-recommends"];
    apt(&[&quietly[..], packages].concat())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Chores start their own servers: in this run level a package's service is not started.
        .env("RUNLEVEL", "1");
    finish(&mut command)
}

/// Runs a command to its end and gives what it wrote to stdout; its failure is ours, with all that
/// it said.
///
/// # Errors
/// Where it cannot be started, or fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{stderr}",
        output.status
    );
    Ok(stdout)
}

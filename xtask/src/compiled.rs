//! What the chores compile. Always all of it with the same features: another choice would compile most
//! of it once more.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Everything, and the planted bugs with it; none is on unless `ORDERD_MUTANT` names it.
pub(crate) const ALL: [&str; 4] = [
    "--locked",
    "--workspace",
    "--features",
    "orderd/aws,orderd/mutants",
];

/// A program that was compiled.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// What it is called where it is made.
    name: String,
    /// Where its package is.
    package: PathBuf,
}

impl Program {
    /// Runs tests of the package as cargo does.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.package);
        command
    }
}

/// Cargo, as a developer calls it: some build scripts look at what it tells a chore of itself, and
/// would compile theirs again after each change between the two.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command.current_dir(root);
    command
}

/// Compiles what these arguments of cargo say; the programs that it is.
pub(crate) fn programs(root: &Path, arguments: &[&str]) -> Result<Vec<Program>> {
    let output = cargo(root)
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "it cannot be compiled");
    let messages = String::from_utf8(output.stdout)?;
    let said = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(said.filter_map(|message| program(&message)).collect())
}

/// The program that a message of cargo is about.
fn program(message: &Value) -> Option<Program> {
    let manifest = Path::new(message["manifest_path"].as_str()?);
    Some(Program {
        path: message["executable"].as_str()?.into(),
        name: message["target"]["name"].as_str()?.to_owned(),
        package: manifest.parent()?.to_owned(),
    })
}

/// Everything compiled, tests too; the programs that it is.
pub(crate) fn all(root: &Path) -> Result<Vec<Program>> {
    programs(root, &[&["test", "--no-run"], &ALL[..]].concat())
}

/// The one of these programs with this name, in the package whose directory has that one.
pub(crate) fn one<'a>(programs: &'a [Program], package: &str, name: &str) -> Result<&'a Program> {
    programs
        .iter()
        .find(|it| it.name == name && it.package.ends_with(package))
        .with_context(|| format!("cargo has compiled no {name} of {package}"))
}

/// The binary as the tests have it, and the function of Lambda beside it; or the one that
/// `ORDERD_BINARY` names.
pub(crate) fn orderd(root: &Path) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("ORDERD_BINARY") {
        return Ok(fs::canonicalize(chosen)?);
    }
    all(root)?;
    Ok(root.join("target/debug/orderd"))
}

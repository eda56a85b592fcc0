//! Packages from the registry of npm that the chores need; none is in what is shipped but what
//! `cargo xtask vendor` puts there.

use crate::finish;
use crate::tools::{below_target, from_debian, output};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages in a directory of their own below `target`.
#[derive(Clone, Copy, Debug)]
pub struct Packages {
    /// What the directory is called.
    pub name: &'static str,
    /// What is installed in it, each as `package@version`.
    pub packages: &'static [&'static str],
}

impl Packages {
    /// The directory, with the packages in it, for scripts that import them.
    ///
    /// # Errors
    /// Where there is no npm, or the packages cannot be had.
    pub fn directory(&self) -> Result<PathBuf> {
        let directory = below_target(self.name);
        let installed = directory.join("installed");
        let wanted = self.packages.join("\n");
        if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
            println!("Installing {}", self.packages.join(", "));
            fs::create_dir_all(&directory)?;
            fs::write(directory.join("package.json"), "{ \"private\": true }\n")?;
            let quietly = ["install", "--silent", "--no-audit", "--no-fund"];
            let mut npm = npm()?;
            finish(
                npm.args(quietly)
                    .args(self.packages)
                    .current_dir(&directory),
            )?;
            fs::write(installed, wanted)?;
        }
        Ok(directory)
    }

    /// A command that runs a script of ours with the packages at hand.
    ///
    /// # Errors
    /// As [`Self::directory`].
    pub fn script(&self, script: &Path) -> Result<Command> {
        let directory = self.directory()?;
        let name = script.file_name().context("a script has a name")?;
        // Modules are looked for beside the script that imports them.
        let copy = directory.join(name);
        fs::copy(script, &copy)?;
        let mut node = Command::new(from_debian("node", &["nodejs"])?);
        node.arg(copy);
        Ok(node)
    }
}

/// Fetches a package as it is published, and unpacks it in `directory`.
///
/// # Errors
/// Where there is no such package, or no npm.
pub fn fetch(package: &str, directory: &Path) -> Result<PathBuf> {
    let mut npm = npm()?;
    let packed = output(
        npm.args(["pack", "--silent", package])
            .current_dir(directory),
    )?;
    let archive = packed.lines().last().context("npm names the archive")?;
    let mut tar = Command::new("tar");
    finish(tar.args(["xzf", archive]).current_dir(directory))?;
    Ok(directory.join("package"))
}

fn npm() -> Result<Command> {
    Ok(Command::new(from_debian("npm", &["nodejs", "npm"])?))
}

//! The rules that no compiler holds: what may depend on what, how a source file looks. Style that
//! clippy or rustfmt knows is theirs.

mod manifests;
mod sources;

use anyhow::{Context, Result, ensure};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Checks the workspace at `root` and prints what is wrong.
pub(crate) fn run(root: &Path) -> Result<()> {
    let violations = check(root)?;
    for violation in &violations {
        println!("{violation}");
    }
    ensure!(violations.is_empty(), "{} to mend", violations.len());
    Ok(())
}

fn check(root: &Path) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for package in packages(root)? {
        violations.extend(manifests::check(&package)?);
        for file in rust_files(&package.directory)? {
            violations.extend(sources::check(&package, &File::read(root, &file)?));
        }
    }
    Ok(violations)
}

/// A rule that is broken, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    file: String,
    line: usize,
    what: String,
    fix: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}\n    fix: {}",
            self.file, self.line, self.what, self.fix
        )
    }
}

/// A text file, by its path from the root.
struct File {
    path: String,
    text: String,
}

impl File {
    fn read(root: &Path, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let path = path
            .strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string();
        Ok(Self { path, text })
    }

    fn violation(&self, line: usize, what: impl Into<String>, fix: &'static str) -> Violation {
        Violation {
            file: self.path.clone(),
            line,
            what: what.into(),
            fix,
        }
    }
}

/// A member of the workspace.
struct Package {
    /// The name of its directory, which is its own.
    name: String,
    directory: PathBuf,
    manifest: File,
}

/// The members: `crates/*` and `xtask`.
fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut directories = entries(&root.join("crates"))?;
    directories.push(root.join("xtask"));
    let mut packages = Vec::new();
    for directory in directories {
        let manifest = directory.join("Cargo.toml");
        if manifest.exists() {
            let name = directory
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            packages.push(Package {
                name,
                manifest: File::read(root, &manifest)?,
                directory,
            });
        }
    }
    Ok(packages)
}

/// Every `.rs` file below `directory`.
fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(directory)? {
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let listing = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut paths = listing
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;

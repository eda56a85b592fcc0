//! The servers that tests run against, for the chores and for tests that need one of their own.

pub mod npm;
pub mod servers;
pub mod tools;

use anyhow::{Context, Result, bail};
use std::process::Command;

/// Runs a command to its end; its failure is ours.
///
/// # Errors
/// Where it cannot be started, or fails.
pub fn finish(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}

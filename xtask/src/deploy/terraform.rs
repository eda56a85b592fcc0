//! Terraform.
use super::Outcome;
use anyhow::Result;
use std::path::Path;
pub(super) fn check(_: &Path) -> Result<Outcome> {
    Ok(Outcome::NotRun(String::new()))
}
pub(super) fn apply(_: &Path) -> Result<Outcome> {
    Ok(Outcome::NotRun(String::new()))
}
pub(super) fn walk(_: &Path) -> Result<Outcome> {
    Ok(Outcome::NotRun(String::new()))
}

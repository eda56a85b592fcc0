//! A copy of the file as it is at one moment, made beside its owner.

use super::open::{check_header, create_private, directory_of, is_sound, own, refusal, suffixed};
use super::rows::failed;
use super::{connection, schema};
use crate::open::OpenError;
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::Path;

/// Copies the file at `from` to `to`, which must not be there. It is there once all of it is on the
/// disk and every page of it was checked.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    if to.exists() {
        return Err(OpenError::Inaccessible(format!(
            "There is a file {} already.\n\
             Why: nothing is overwritten here, were it only by a mistyped name.\n\
             Fix: name another file, or move this one away first.",
            to.display()
        )));
    }
    check_header(from)?;
    let source = connection::reading(from).map_err(|error| refusal(from, error))?;
    schema::check(&source, from)?;
    let partial = suffixed(to, ".partial");
    drop(fs::remove_file(&partial));
    create_private(&partial)?;
    let copied = fill(&source, &partial).and_then(|()| {
        let synced = File::open(&partial).and_then(|file| file.sync_all());
        let named = synced.and_then(|()| fs::rename(&partial, to));
        let kept = named.and_then(|()| File::open(directory_of(to))?.sync_all());
        kept.map_err(|error| {
            OpenError::Inaccessible(format!(
                "Cannot keep the copy {}.\nWhy: {error}.\nFix: see that the disk is sound.",
                to.display()
            ))
        })
    });
    if copied.is_err() {
        drop(fs::remove_file(&partial));
    }
    copied
}

/// As [`copy`], to where a server will own it.
pub(crate) fn restore(from: &Path, to: &Path) -> Result<(), OpenError> {
    let _ours = own(to)?;
    copy(from, to)
}

fn fill(source: &Connection, partial: &Path) -> Result<(), OpenError> {
    let name = partial.to_string_lossy();
    source
        .execute("vacuum into ?1", [&name])
        .map_err(|error| refusal(partial, failed(error)))?;
    let copy = connection::reading(partial).map_err(|error| refusal(partial, error))?;
    is_sound(&copy, partial, "pragma integrity_check(1)")
}

//! What a build without the feature `aws` says in the place of `queue.rs`.

use super::Verb;
use crate::Globals;
use setup::exit::Exit;
use std::future::{Ready, ready};

/// Refuses to look at a queue.
pub(super) fn run(_verb: Verb, url: &str, _globals: &Globals) -> Ready<anyhow::Result<()>> {
    let what = format!("Cannot look at the queue {url}.");
    ready(Err(Exit::without_aws(&what).into()))
}

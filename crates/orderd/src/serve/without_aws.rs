//! What a build without the feature `aws` says in the place of `aws.rs`.

use setup::config::Settings;
use setup::exit::Exit;
use std::future::{Ready, ready};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use worker::{Fulfil, Topics};

/// Refuses to work on the orders that a queue names.
pub(super) fn work_from_queue(
    settings: &Settings,
    _fulfil: Fulfil,
    _tasks: &TaskTracker,
    _stop: &CancellationToken,
) -> Ready<anyhow::Result<()>> {
    refused(&format!(
        "Cannot read the queue {}.",
        settings.worker.queue_url
    ))
}

/// Refuses to publish to topics.
pub(super) fn topics(_settings: &Settings) -> Ready<anyhow::Result<Topics>> {
    refused("Cannot publish to topics (events.topic_arn, SNS_TOPIC_ARN).")
}

fn refused<T>(what: &str) -> Ready<anyhow::Result<T>> {
    ready(Err(Exit::without_aws(what).into()))
}

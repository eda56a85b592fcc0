//! What a server does by services of AWS beside keeping orders: it works on those that a queue names,
//! and publishes events to topics.

use setup::config::Settings;
use setup::exit::{Code, Exit};
use setup::topics::format;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use worker::sns::Sns;
use worker::sqs::{Limits, Queue};
use worker::{Fulfil, Topics};

/// Works on the orders that a queue names.
pub(super) async fn work_from_queue(
    settings: &Settings,
    fulfil: Fulfil,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let url = &settings.worker.queue_url;
    let queue = Queue::open(url).await.map_err(|why| {
        let what = format!("Cannot use the queue {url}.");
        let fix = "write its URL in worker.queue_url, and let this process use the queue: \
                   sqs:GetQueueAttributes, GetQueueUrl, ReceiveMessage, DeleteMessage, \
                   ChangeMessageVisibility, and SendMessage to its dead letters.";
        Exit::new(Code::Unreachable, &what, why, fix)
    })?;
    if !queue.buries() {
        warn!("The queue {url} has no dead letters: what can never be worked on stays in it");
    }
    let limits = Limits {
        batch: settings.worker.batch,
        concurrency: settings.worker.concurrency,
    };
    tasks.spawn(queue.run(fulfil, limits, stop.clone()));
    Ok(())
}

/// Publishes to topics.
pub(super) async fn topics(settings: &Settings) -> anyhow::Result<Topics> {
    Ok(Topics {
        service: Arc::new(Sns::new().await),
        format: format(settings),
    })
}

//! `GET /ui/live`: a tick a second, with the orders that moved since the last one. The first says that
//! any may have: a page was rendered before its browser listened, or while it had lost the stream. A
//! browser needs one such stream, however many tabs it has open.
//!
//! A tick is made when it is sent: for a browser that does not read, nothing is kept.

use crate::App;
use crate::feed::Touched;
use crate::problem::Problem;
use crate::v1::events::as_stream;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event as Frame;
use domain::OrderId;
use futures_util::stream;
use serde_json::json;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const TICK_EVERY: Duration = Duration::from_secs(1);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

struct Ticks {
    app: Arc<App>,
    touched: Touched,
    next: Instant,
    ended: bool,
}

pub(super) async fn stream(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let ticks = Ticks {
        touched: app.feed.touched().await?,
        next: Instant::now() + TICK_EVERY,
        ended: false,
        app,
    };
    let first = stream::iter([Ok(tick(None).retry(RETRY))]);
    let frames = stream::unfold(ticks, async |mut ticks| {
        let frame = ticks.next().await?;
        Some((Ok::<_, Infallible>(frame), ticks))
    });
    Ok(as_stream(futures_util::StreamExt::chain(first, frames)))
}

impl Ticks {
    async fn next(&mut self) -> Option<Frame> {
        if self.ended {
            return None;
        }
        tokio::select! {
            () = sleep_until(self.next) => {}
            () = self.app.stopping.cancelled() => {
                self.ended = true;
                return Some(Frame::default().event("bye").data("{}"));
            }
        }
        self.next = Instant::now() + TICK_EVERY;
        self.app.history.look(self.app.clock.now());
        Some(tick(self.touched.take()))
    }
}

/// Names the orders that moved; `None` says that any may have.
fn tick(orders: Option<BTreeSet<OrderId>>) -> Frame {
    let orders = orders.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    let data = json!({ "orders": orders }).to_string();
    Frame::default().event("tick").data(data)
}

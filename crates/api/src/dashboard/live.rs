//! `GET /ui/live`: a tick a second, with the orders that moved since the last one. A browser needs
//! one such stream, however many tabs it has open.
//!
//! A tick is made when it is sent: for a browser that does not read, nothing is kept.

use crate::App;
use crate::feed::Touched;
use crate::problem::Problem;
use crate::v1::events::as_stream;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event as Frame;
use futures_util::stream;
use serde_json::json;
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
        next: Instant::now(),
        ended: false,
        app,
    };
    let first = stream::iter([Ok(Frame::default().retry(RETRY))]);
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
        // Too many to be named: then all of them may have moved.
        let orders = self.touched.take();
        let orders = orders.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
        let data = json!({ "orders": orders }).to_string();
        Some(Frame::default().event("tick").data(data))
    }
}

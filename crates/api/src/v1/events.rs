//! `GET /v1/events`: what happens, as it happens.

use crate::App;
use crate::extract::Query;
use crate::feed::{Events, Told};
use crate::problem::{Code, Problem};
use axum::extract::{RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::{EventId, OrderId};
use futures_util::stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::{Error, EventQuery};
use tracing::warn;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A proxy that holds back what comes in pieces would hold back every event.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How far back a stream is resumed: an event may be committed after one with a later id.
const OVERLAP_MS: i64 = 5_000;
/// How many events are read at once.
const PAGE: usize = 500;
/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// How often something is said where nothing happens, so that nobody takes the line for dead.
const PING_EVERY: Duration = Duration::from_secs(15);

/// Follow what happens, as server-sent events
///
/// Each is a `CloudEvents` 1.0 object under the name of its `type`. A stream that is resumed with
/// `Last-Event-ID` begins a little before that event rather than skip one: drop ids that you know.
/// The last event of a server that stops is `bye`.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "stream_events",
    tag = "events",
    params(
        ("order_id" = Option<String>, Query, description = "Only events of this order"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that arrived; without it, the stream begins now"),
    ),
    responses((status = 200, description = "The events, for as long as you listen", body = String, content_type = "text/event-stream", headers(("X-Accel-Buffering" = String, description = "`no`, so that a proxy holds nothing back")))),
    extensions(("x-problems" = json!(["invalid_query"]))),
)]
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::of(query.as_deref(), &["order_id"]);
    let order_id = query.get("order_id", "must be the id of an order", OrderId::parse);
    query.check()?;
    let last = headers.get(LAST_EVENT_ID).map(last_event).transpose()?;

    let stream = Stream {
        events: app.feed.events().await?,
        order_id,
        behind: last.map(|id| EventId::least_at(id.minted_at().plus_millis(-OVERLAP_MS))),
        ready: VecDeque::from([Frame::default().retry(RETRY)]),
        ended: false,
        app,
    };
    let frames = stream::unfold(stream, async |mut stream| {
        let frame = stream.next().await?;
        Some((Ok::<_, Infallible>(frame), stream))
    });
    Ok(as_stream(frames))
}

/// The answer that goes on for as long as somebody listens.
pub(crate) fn as_stream(
    frames: impl futures_util::Stream<Item = Result<Frame, Infallible>> + Send + 'static,
) -> Response {
    let ping = KeepAlive::new().interval(PING_EVERY).text("ping");
    let mut response = Sse::new(frames).keep_alive(ping).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

fn last_event(value: &HeaderValue) -> Result<EventId, Problem> {
    let id = value.to_str().ok().and_then(EventId::parse);
    id.ok_or_else(|| {
        Problem::new(
            Code::InvalidQuery,
            "Last-Event-ID is not the id of an event; leave it out to begin now.",
        )
    })
}

/// What one client is told.
struct Stream {
    app: Arc<App>,
    events: Events,
    order_id: Option<OrderId>,
    /// Where to go on reading what is stored; `None` once that is behind us.
    behind: Option<EventId>,
    ready: VecDeque<Frame>,
    ended: bool,
}

impl Stream {
    /// The next frame; `None` at the end. A client that did not hear `bye` resumes.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            if self.ended {
                return None;
            }
            if let Some(after) = self.behind {
                match self.read(after).await {
                    Ok(next) => self.behind = next,
                    Err(error) => {
                        warn!(source = ?error, "Ended a stream of events: {error}");
                        self.ended = true;
                    }
                }
                continue;
            }
            tokio::select! {
                told = self.events.next() => match told {
                    Some(told) => self.tell(&told),
                    None => self.ended = true,
                },
                () = self.app.stopping.cancelled() => {
                    self.ready.push_back(Frame::default().event("bye").data("{}"));
                    self.ended = true;
                }
            }
        }
    }

    /// Tells what is stored after an event; where to go on.
    async fn read(&mut self, after: EventId) -> Result<Option<EventId>, Error> {
        let limit = PAGE;
        let page = self
            .app
            .store
            .events_after(EventQuery { after, limit })
            .await?;
        for event in page.items.iter().filter(|event| event.kind.is_public()) {
            if self.wants(event.order_id) {
                let told = Told::stored(&*self.app.store, event).await?;
                self.tell(&told);
            }
        }
        Ok(page.next)
    }

    fn tell(&mut self, told: &Told) {
        if self.wants(told.order_id) {
            let frame = Frame::default()
                .id(told.id.to_string())
                .event(told.kind.as_str())
                .data(&told.text);
            self.ready.push_back(frame);
        }
    }

    fn wants(&self, order_id: OrderId) -> bool {
        self.order_id.is_none_or(|wanted| wanted == order_id)
    }
}

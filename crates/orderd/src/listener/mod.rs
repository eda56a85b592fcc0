//! The accept loop: from a listening socket to requests for a router.
//!
//! `axum::serve` puts no limit on a client that sends half a head and waits; this loop puts one on
//! everything: connections, heads, idleness, answers that nobody reads. What a request means is
//! the router's affair, and how long its body may take as well.

mod waiting;

pub(crate) use waiting::Waiting;

use crate::wire::Wire;
use api::Peer;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use setup::clock;
use setup::config::Server;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

/// hyper's own bounds of a head lie above those of the router, whose refusal says more.
const HEAD_MAX_BYTES: usize = 128 << 10;
/// How many refused connections are told so at a time; those beyond are just closed.
const REFUSALS_MAX: usize = 64;
/// How long a refused client may take to read that it is.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before accepting again when that failed: when files are used up, for instance.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// What a client may take of us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at a time.
    pub(crate) connections_max: usize,
    /// Time for the head of a request.
    pub(crate) header_timeout: Duration,
    /// Time without a request.
    pub(crate) idle_timeout: Duration,
}

impl Limits {
    /// What is configured.
    pub(crate) const fn of(server: &Server) -> Self {
        Self {
            connections_max: server.connections_max,
            header_timeout: server.header_timeout,
            idle_timeout: server.idle_timeout,
        }
    }
}

/// Accepts connections until `stop`, then no more; `connections` can be waited for.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let mut trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                trouble.log(&error);
                sleep(ACCEPT_DELAY).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let connection = Connection {
                stream,
                peer: Peer(peer.ip()),
                router: router.clone(),
                limits,
                place,
            };
            connections.spawn(connection.serve(stop.child_token()));
        } else if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
            connections.spawn(refuse(stream, place));
        }
    }
}

struct Connection {
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: Limits,
    /// Gives its place back when the connection is dropped.
    place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stop: CancellationToken) {
        let Self {
            stream,
            peer,
            router,
            limits,
            place: _place,
        } = self;
        // Answers are small and whole: waiting for more to send with them only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "A connection was gone before it was served");
            return;
        }
        let waiting = Arc::new(Waiting::new());
        let wire = TokioIo::new(Wire::new(stream, Arc::clone(&waiting)));
        let answering = Arc::clone(&waiting);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let answering = Arc::clone(&answering);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let answer = router.clone().call(request);
            answering.busy();
            async move {
                let answer = answer.await;
                answering.answered();
                answer
            }
        });
        let connection = http1::Builder::new()
            .max_buf_size(HEAD_MAX_BYTES)
            // It would set a timer for every request, and cut idle connections as well.
            .header_read_timeout(None)
            .serve_connection(wire, service);

        let mut connection = pin!(connection);
        let mut overdue = pin!(waiting.overdue(limits));
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(%error, "A connection broke");
                    }
                    return;
                }
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = overdue.as_mut() => return,
            }
        }
    }
}

/// Tells a client that there is no place for it.
async fn refuse(mut stream: TcpStream, _place: OwnedSemaphorePermit) {
    let detail = "All connections are taken. Try again, or keep connections open between requests.";
    let answer = api::problem::raw(api::problem::Code::Overloaded, detail, &clock::request_id());
    let told = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection and take the answer away again.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that is gone, or slow, needs no answer.
    let _ = timeout(REFUSAL_TIMEOUT, told).await;
}

/// Why accepting fails, told once a second.
#[derive(Default)]
struct Trouble {
    told_at: Option<Instant>,
}

impl Trouble {
    fn log(&mut self, error: &io::Error) {
        let is_new = self
            .told_at
            .is_none_or(|told_at| told_at.elapsed() >= Duration::from_secs(1));
        if is_new {
            self.told_at = Some(Instant::now());
            warn!(%error, "Cannot accept connections; raise the limit of open files if they are used up");
        }
    }
}

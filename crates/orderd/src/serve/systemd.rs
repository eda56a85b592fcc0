//! What systemd hands over and is told: the socket, readiness, signs of life, the end.
//!
//! Each is found in the environment, so that where nobody listens nothing is told, and any supervisor
//! that speaks the protocol will do: `sd_listen_fds(3)`, `sd_notify(3)`, `sd_watchdog_enabled(3)`.

use anyhow::Context;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use setup::exit::{Code, Exit};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often the rate of orders is said where no watchdog asks more often.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// The listening socket that was handed over, if one was.
///
/// # Errors
/// An [`Exit`] of code 3 where it is another sort of socket, or more than one.
pub(crate) fn socket() -> anyhow::Result<Option<TcpListener>> {
    let mut sockets = ListenFd::from_env();
    let refusal = |why: String| {
        Exit::new(
            Code::Configuration,
            "Cannot use what LISTEN_FDS hands over.",
            why,
            "give the socket unit one line: ListenStream=127.0.0.1:8080",
        )
    };
    if sockets.len() > 1 {
        return Err(refusal(format!("it is {} sockets", sockets.len())).into());
    }
    let socket = sockets
        .take_tcp_listener(0)
        .map_err(|error| refusal(error.to_string()))?;
    let Some(socket) = socket else {
        return Ok(None);
    };
    socket
        .set_nonblocking(true)
        .context("cannot use the socket of LISTEN_FDS")?;
    Ok(Some(socket))
}

/// Says that it serves, and `status` for people.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says that it is ending.
pub(crate) fn stopping() {
    let status = "Finishing the requests under way";
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Gives signs of life, twice as often as they are waited for, and says what goes on: how many orders
/// a second were placed since it was said last. Never ends.
///
/// It shows that the threads that serve get their turn. A database that is away is no reason to be
/// restarted, so it is not asked.
pub(crate) async fn stay_alive(status: String, placed: impl Fn() -> u64) {
    let watchdog = sd_notify::watchdog_enabled();
    let mut tick = interval(watchdog.map_or(STATUS_EVERY, |limit| limit / 2));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut said_at, mut said) = (Instant::now(), placed());
    loop {
        tick.tick().await;
        tell(&[NotifyState::Watchdog]);
        let elapsed = said_at.elapsed();
        if elapsed >= STATUS_EVERY {
            let now = placed();
            let rate = (now - said) / elapsed.as_secs().max(1);
            tell(&[NotifyState::Status(&format!("{status}; {rate} orders/s"))]);
            (said_at, said) = (Instant::now(), now);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "Cannot tell the supervisor");
    }
}

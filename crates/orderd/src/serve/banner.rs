//! What a server says of itself once it serves: a block for people, or one log line.

use super::{Server, fulfilment};
use crate::client::url_of;
use crate::port;
use api::Anonymous;
use setup::config::Config;
use setup::telemetry::Telemetry;
use std::fmt::Write;
use std::io::IsTerminal;
use tracing::{info, warn};

/// Where orders are kept, and whether they last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Storage<'a> {
    /// In a file that stays.
    Durable(&'a str),
    /// In a file that goes with the process.
    Temporary(&'a str),
}

/// Says where the server is, where orders are kept, and what is odd.
pub(crate) fn show(config: &Config, server: &Server, storage: Storage<'_>, telemetry: &Telemetry) {
    if telemetry.json || !std::io::stderr().is_terminal() {
        log(config, server, storage);
    } else {
        eprintln!("{}", block(config, server, storage));
    }
    for warning in &config.warnings {
        warn!("{warning}");
    }
    if is_open(server) {
        warn!(
            "Whoever reaches {} can place orders: access.anonymous is write",
            server.address
        );
    }
}

/// Says whose orders a worker drives to their end, where it does nothing else.
pub(crate) fn working(config: &Config, location: &str) {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        location,
        worker = fulfilment::words(&config.settings),
        configuration = config.origins(),
        "Working on the orders of {location}"
    );
    for warning in &config.warnings {
        warn!("{warning}");
    }
}

/// Whether strangers can write.
fn is_open(server: &Server) -> bool {
    !port::is_loopback(server.address.ip()) && server.app.settings.anonymous == Anonymous::Write
}

fn log(config: &Config, server: &Server, storage: Storage<'_>) {
    let (kind, location) = match storage {
        Storage::Durable(location) => ("durable", location),
        Storage::Temporary(location) => ("temporary", location),
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        url = url_of(server.address),
        storage = kind,
        location,
        worker = fulfilment::words(&config.settings),
        cache = cache(server),
        anonymous = anonymous(server),
        configuration = config.origins(),
        "Serving at {}",
        server.address
    );
}

fn block(config: &Config, server: &Server, storage: Storage<'_>) -> String {
    let url = url_of(server.address);
    let storage = match storage {
        Storage::Durable(location) => format!("{location} \x1b[32m(durable)\x1b[0m"),
        Storage::Temporary(location) => {
            format!("{location} \x1b[1;31m(temporary; keep it with --keep DIR)\x1b[0m")
        }
    };
    let mut worker = fulfilment::words(&config.settings);
    if config.settings.worker.enabled {
        worker = format!("\x1b[1;33m{worker}\x1b[0m");
    }
    let mut access = format!("without a token: {}", anonymous(server));
    if is_open(server) {
        access = format!("\x1b[1;31m{access}, and others can reach this address\x1b[0m");
    }
    let mut lines = vec![
        ("Dashboard", format!("\x1b[1;36m{url}/ui/\x1b[0m")),
        ("API", format!("{url}/v1/orders")),
        ("Docs", format!("{url}/docs")),
        ("Metrics", format!("{url}/metrics")),
        ("Storage", storage),
        ("Worker", worker),
        ("Cache", cache(server)),
        ("Access", access),
        ("Settings", config.origins()),
    ];
    let events = &config.settings.events;
    for topic in [&events.topic_arn, &events.completed_topic_arn] {
        if !topic.is_empty() {
            lines.push(("Events", format!("to {topic}")));
        }
    }
    if config.settings.faults.enabled {
        lines.push(("Faults", "X-Debug-Fail-After-Commit is obeyed".to_owned()));
    }
    lines.push(("Try", attempt(&url)));
    let mut text = format!("\n  \x1b[1morderd\x1b[0m {}\n\n", env!("CARGO_PKG_VERSION"));
    for (name, value) in lines {
        writeln!(text, "  \x1b[2m{name:<10}\x1b[0m {value}")
            .expect("a String takes whatever is written");
    }
    text.push_str("\n  Ctrl-C ends it.\n");
    text
}

fn cache(server: &Server) -> String {
    let stats = server.app.cache.stats();
    let away = if stats.kind == "redis" && !stats.up {
        ", away: reads go to the store"
    } else {
        ""
    };
    format!("{}{away}", stats.kind)
}

/// What a request without a token may do.
fn anonymous(server: &Server) -> &'static str {
    match server.app.settings.anonymous {
        Anonymous::Write => "read and write",
        Anonymous::Read => "read",
        Anonymous::None => "nothing",
    }
}

/// A command that places an order.
fn attempt(url: &str) -> String {
    format!(
        "curl {url}/v1/orders -H 'Content-Type: application/json' -H 'Idempotency-Key: try-1' \
         -d '{{\"customer_id\":\"ada\",\"lines\":[{{\"item_id\":\"pen\",\"quantity\":2}}]}}'"
    )
}

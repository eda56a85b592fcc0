//! Logging and traces. Logs are pretty for people on a terminal, else one JSON object a line on stderr.
//!
//! A request writes its line into memory and goes on; a thread of its own brings the lines to
//! stderr. So a full disk or a reader that has gone away costs log lines and nothing else. Spans
//! are not written: a line reads on its own and carries its ids.

mod json;
mod pretty;
mod sink;
mod traces;

pub use sink::Sink;

use crate::config::{LogFormat, Settings};
use domain::trace::Tracer;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use traces::Traces;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Keeps logging alive; when dropped, what was logged is brought to stderr.
pub struct Telemetry {
    /// Whether log lines are JSON.
    pub json: bool,
    is_quiet: Arc<AtomicBool>,
    sink: Arc<Sink>,
    /// `None` where nobody collects them.
    traces: Option<Traces>,
}

impl Telemetry {
    /// Who records spans; `None` where nobody collects them.
    #[must_use]
    pub fn tracer(&self) -> Option<Arc<dyn Tracer>> {
        self.traces.as_ref().map(Traces::tracer)
    }

    /// Ends the quiet of [`start_quietly`].
    pub fn speak(&self) {
        self.is_quiet.store(false, Ordering::Relaxed);
    }

    /// Sends the spans that were recorded so far: for a process that is put to sleep between requests.
    /// A collector that is away holds up nobody for long.
    pub async fn flush_spans(&self) {
        if let Some(traces) = &self.traces {
            traces.flush().await;
        }
    }

    /// Brings what was logged and recorded so far to where it goes, waiting a few seconds at most;
    /// nothing is recorded afterwards.
    pub fn flush(&self) {
        if let Some(traces) = &self.traces {
            traces.end();
        }
        self.sink.close();
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Starts logging as `settings` say, and tracing as the environment does. Only the first call of a
/// process has an effect.
#[must_use]
pub fn start(settings: &Settings) -> Telemetry {
    let telemetry = start_quietly(settings);
    telemetry.speak();
    telemetry
}

/// As [`start`], but nothing is logged below a warning until [`Telemetry::speak`].
#[must_use]
pub fn start_quietly(settings: &Settings) -> Telemetry {
    let targets: Targets = settings
        .log
        .level
        .parse()
        .expect("the level was parsed before");
    let json = match settings.log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Pretty => false,
    };
    let sink = Sink::start(std::io::stderr());
    let is_quiet = Arc::new(AtomicBool::new(true));
    let quiet = Quiet(Arc::clone(&is_quiet));
    let registry = tracing_subscriber::registry().with(targets).with(quiet);
    let started = if json {
        registry
            .with(json::Lines::new(Arc::clone(&sink)))
            .try_init()
    } else {
        let colour = std::io::stderr().is_terminal();
        registry.with(pretty::Lines { colour }).try_init()
    };
    drop(started);
    let traces = Traces::start();
    Telemetry {
        json,
        is_quiet,
        sink,
        traces,
    }
}

/// Drops what is below a warning, while it is so.
struct Quiet(Arc<AtomicBool>);

impl<S: Subscriber> Layer<S> for Quiet {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        is_urgent(*event.metadata().level()) || !self.0.load(Ordering::Relaxed)
    }
}

/// Whether lines of this level are brought to stderr at once.
const fn is_urgent(level: Level) -> bool {
    matches!(level, Level::ERROR | Level::WARN)
}

//! One event, one short line for people: when, how grave, what, and the fields that `what` does not
//! say itself. Machines read `json`.

use crate::clock::SystemClock;
use domain::{Clock, Timestamp};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Writes every event to stderr.
pub(super) struct Lines {
    /// Whether the level is coloured.
    pub(super) colour: bool,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let line = fields.line(SystemClock.now(), level, self.colour);
        // A terminal that has gone away is no reason to fail anything.
        drop(std::io::stderr().lock().write_all(line.as_bytes()));
    }
}

/// The fields of an event, in their order; the message is one of them.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn line(mut self, now: Timestamp, level: Level, colour: bool) -> String {
        let now = now.to_string();
        let time = now.get("2026-11-21T".len().."2026-11-21T12:01:02".len());
        let (on, off) = if colour {
            (paint(level), "\x1b[0m")
        } else {
            ("", "")
        };
        let message = self.take("message").unwrap_or_default();
        let text = self.answer().unwrap_or(message);
        let mut line = format!("{}Z {on}{level:<5}{off} {text}", time.unwrap_or(&now));
        if self.0.iter().any(|(name, _)| *name == "order_id") {
            self.take("request_id");
        }
        for (name, value) in self.0 {
            let mut words = text.split_whitespace();
            if !words.any(|word| word.trim_end_matches([',', ';', ':', '.']) == value) {
                let name = name.strip_suffix("_id").unwrap_or(name);
                write!(line, "  {name} {value}").expect("a String takes whatever is written");
            }
        }
        line.push('\n');
        line
    }

    /// What the line of an answered request says: `POST /v1/orders 201 0.4 ms`.
    fn answer(&mut self) -> Option<String> {
        let micros: u32 = self.take("duration_us")?.parse().ok()?;
        let [method, route, status] =
            ["method", "route", "status"].map(|name| self.take(name).unwrap_or_default());
        let millis = f64::from(micros) / 1000.0;
        Some(format!("{method} {route} {status} {millis:.1} ms"))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(index).1)
    }

    /// No control character gets through: a terminal would obey it.
    fn put(&mut self, field: &Field, text: &str) {
        let mut plain = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() {
                plain.extend(character.escape_default());
            } else {
                plain.push(character);
            }
        }
        self.0.push((field.name(), plain));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let chain = std::iter::successors(Some(value), |error| error.source());
        let causes: Vec<String> = chain.map(ToString::to_string).collect();
        self.put(field, &causes.join(": "));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }
}

const fn paint(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

#[cfg(test)]
mod tests;

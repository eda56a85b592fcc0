//! One event, one JSON object, one line: formatted straight into a buffer that is used again.
//!
//! Two lines an order are written at full speed, so nothing is allocated for a line and the date
//! is formatted once a second.

use super::{Sink, is_urgent};
use crate::clock::SystemClock;
use domain::{Clock, Timestamp};
use std::cell::RefCell;
use std::fmt::{self, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Writes every event to a [`Sink`].
pub(super) struct Lines {
    sink: Arc<Sink>,
}

impl Lines {
    /// Lines for `sink`.
    pub(super) fn new(sink: Arc<Sink>) -> Self {
        Self { sink }
    }
}

thread_local! {
    static LINE: RefCell<Line> = RefCell::default();
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = *event.metadata().level();
        LINE.with_borrow_mut(|line| {
            line.begin(SystemClock.now(), level);
            event.record(line);
            line.end();
            self.sink.append(line.text.as_bytes(), is_urgent(level));
        });
    }
}

/// A line being written.
#[derive(Default)]
pub(super) struct Line {
    /// The line so far.
    pub(super) text: String,
    /// The date and time of the last line without its milliseconds, and the second it stands for.
    second: (i64, String),
}

impl Line {
    /// Begins a line.
    pub(super) fn begin(&mut self, now: Timestamp, level: Level) {
        let millis = now.as_millis();
        if self.second.1.is_empty() || self.second.0 != millis / 1000 {
            let text = now.to_string();
            self.second = (millis / 1000, text[..text.len() - "000Z".len()].to_owned());
        }
        self.text.clear();
        self.text.push_str(r#"{"timestamp":""#);
        self.text.push_str(&self.second.1);
        let rest = millis % 1000;
        self.put(format_args!(
            r#"{rest:03}Z","level":"{level}","service":"orderd""#
        ));
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.text.push_str("}\n");
    }

    fn put(&mut self, arguments: fmt::Arguments<'_>) {
        self.text
            .write_fmt(arguments)
            .expect("a String takes whatever is written");
    }

    /// `,"name":`, with underscores for dots: `order.id` is `order_id`.
    fn name(&mut self, field: &Field) {
        self.text.push_str(",\"");
        for (index, part) in field.name().split('.').enumerate() {
            if index > 0 {
                self.text.push('_');
            }
            self.text.push_str(part);
        }
        self.text.push_str("\":");
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        // JSON has no word for what is not finite.
        if value.is_finite() {
            self.put(format_args!("{value}"));
        } else {
            self.text.push_str("null");
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field);
        self.put(format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.put(format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        self.text.push_str(if value { "true" } else { "false" });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.text.push('"');
        escape(&mut self.text, value);
        self.text.push('"');
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.name(field);
        self.text.push('"');
        let chain = std::iter::successors(Some(value), |error| error.source());
        for (index, error) in chain.enumerate() {
            let separator = if index > 0 { ": " } else { "" };
            write!(Escaping(&mut self.text), "{separator}{error}")
                .expect("a String takes whatever is written");
        }
        self.text.push('"');
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.text.push('"');
        write!(Escaping(&mut self.text), "{value:?}").expect("a String takes whatever is written");
        self.text.push('"');
    }
}

/// Escapes whatever is written through it.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

/// Appends `text` as it may stand in a JSON string, and so that no terminal obeys it and no reader
/// takes it for two lines: control characters (also those beyond ASCII) and U+2028/U+2029 escaped.
fn escape(line: &mut String, text: &str) {
    let mut plain_from = 0;
    for (index, character) in text.char_indices() {
        let is_plain = match character {
            '"' | '\\' | '\u{2028}' | '\u{2029}' => false,
            character => !character.is_control(),
        };
        if is_plain {
            continue;
        }
        line.push_str(&text[plain_from..index]);
        plain_from = index + character.len_utf8();
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other => write!(line, "\\u{:04x}", u32::from(other))
                .expect("a String takes whatever is written"),
        }
    }
    line.push_str(&text[plain_from..]);
}

#[cfg(test)]
mod tests;

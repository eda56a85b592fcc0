//! Figures for people: a page that renews itself on a terminal, and a line where there is none.

use super::figures::Figures;
use crate::progress::grouped;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _, stdout};

/// The terminal's other screen, without a cursor.
const OPEN: &str = "\x1b[?1049h\x1b[?25l";
/// Back to what was there before.
const CLOSE: &str = "\x1b[?25h\x1b[?1049l";
/// To the first character of the screen.
const HOME: &str = "\x1b[H";
/// Nothing more in this line, and below it.
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

/// Keeps a screen of its own on the terminal; what was there before comes back when it is dropped.
pub(super) struct Screen;

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open() -> io::Result<Self> {
        write(OPEN)?;
        Ok(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal has gone, there is nothing to bring back.
        drop(write(CLOSE));
    }
}

/// Shows a page in the place of the one before.
pub(super) fn show(page: &str) -> io::Result<()> {
    let mut text = HOME.to_owned();
    for line in page.lines() {
        text.push_str(line);
        text.push_str(REST_OF_LINE);
        // A terminal in its usual mode needs no more to begin a line.
        text.push('\n');
    }
    text.push_str(REST_OF_SCREEN);
    write(&text)
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// All figures, a subject a line.
pub(super) fn page(url: &str, figures: &Figures) -> String {
    let mut page = format!("orderd at {url}\n\n");
    let mut row = |name: &str, text: String| {
        writeln!(page, "{name:<16}{text}").expect("a String takes all that is written to it");
    };
    row(
        "placed",
        format!(
            "{} orders/s   p50 {}   p99 {}",
            rate(figures.placed),
            millis(figures.p50_ms),
            millis(figures.p99_ms)
        ),
    );
    row("finished", rates(&figures.finished));
    row("calls", rates(&figures.calls));
    for (queue, (depth, age_s)) in &figures.queues {
        row(
            &format!("queue {queue}"),
            format!("{} waiting   oldest due for {age_s:.1} s", count(*depth)),
        );
    }
    row("dead letters", count(figures.dead_letters));
    if figures.violations > 0.0 {
        row(
            "violations",
            format!("{}: see orderd verify", count(figures.violations)),
        );
    }
    row(
        "requests",
        format!(
            "{}/s   5xx {}/s   replayed {}   cache hits {}",
            rate(figures.requests),
            rate(figures.errors),
            percent(figures.replayed),
            percent(figures.hits)
        ),
    );
    row(
        "process",
        format!(
            "{:.2} processors   {:.1} MiB   {} open files",
            figures.cpu,
            figures.memory_bytes / 1_048_576.0,
            count(figures.open_files)
        ),
    );
    page.push_str("\nCtrl-C ends this; the server goes on.\n");
    page
}

/// The figures that matter most, in one line.
pub(super) fn line(figures: &Figures) -> String {
    let ended = |status: &str| rate(figures.finished.get(status).copied().unwrap_or_default());
    let depths: f64 = figures.queues.values().map(|(depth, _)| depth).sum();
    let age_s = figures.queues.values().map(|(_, age_s)| *age_s);
    format!(
        "placed {}/s p50 {} p99 {} | completed {}/s failed {}/s | waiting {} oldest {:.1} s | dead \
         letters {} | replayed {} cache hits {} | 5xx {}/s",
        rate(figures.placed),
        millis(figures.p50_ms),
        millis(figures.p99_ms),
        ended("completed"),
        ended("failed"),
        count(depths),
        age_s.fold(0.0, f64::max),
        count(figures.dead_letters),
        percent(figures.replayed),
        percent(figures.hits),
        rate(figures.errors),
    )
}

/// What there is of each, where there is any.
fn rates(all: &BTreeMap<String, f64>) -> String {
    let some = all.iter().filter(|(_, value)| **value > 0.0);
    let texts: Vec<String> = some
        .map(|(name, value)| format!("{name} {}/s", rate(*value)))
        .collect();
    if texts.is_empty() {
        "–".to_owned()
    } else {
        texts.join("   ")
    }
}

/// Large rates are whole, small ones say more.
fn rate(value: f64) -> String {
    if value >= 100.0 || value == 0.0 {
        count(value)
    } else {
        format!("{value:.1}")
    }
}

fn millis(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} ms"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people; a cast of a float stops at the ends"
)]
fn count(value: f64) -> String {
    grouped(value.round() as u64)
}

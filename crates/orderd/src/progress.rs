//! How far a command has come, on stderr: a line that renews itself on a terminal, else a line
//! each five seconds. A command that ends at once shows nothing.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

const BAR_AFTER: Duration = Duration::from_millis(300);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far a command has come.
pub(crate) struct Progress {
    total: u64,
    started: Instant,
    line_due: Instant,
    terminal: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins to watch something that is done after `total` steps.
    pub(crate) fn new(total: u64) -> Self {
        let started = Instant::now();
        let terminal = stderr().is_terminal();
        Self {
            total,
            started,
            line_due: started + LINE_EVERY,
            terminal,
            bar: None,
        }
    }

    /// Shows that `done` steps were made, and `text` beside it.
    pub(crate) fn show(&mut self, done: u64, text: &str) {
        if self.terminal {
            self.renew(done, text);
        } else if Instant::now() >= self.line_due {
            self.line_due += LINE_EVERY;
            eprintln!("{}/{} {text}", grouped(done), grouped(self.total));
        }
    }

    /// Takes the line away again.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn renew(&mut self, done: u64, text: &str) {
        if self.started.elapsed() < BAR_AFTER {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}")
                .expect("the template is right");
            ProgressBar::new(self.total).with_style(style)
        });
        bar.set_position(done);
        bar.set_message(text.to_owned());
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

//! Where lines wait for the thread that writes them.
//!
//! Appending takes a short lock and never waits for the output. Lines beyond [`BYTES_MAX`], and
//! those that the output refuses, are dropped and counted; a later line says how many.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes that wait: some 30,000 lines, what an output may lag behind.
const BYTES_MAX: usize = 8 << 20;
/// So many bytes are not kept waiting for more.
const BYTES_ENOUGH: usize = 64 << 10;
/// How long lines wait for more of them.
const DELAY: Duration = Duration::from_millis(50);
/// How long the end of the program waits for an output that does not take the last lines.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Takes lines at any speed and writes them from a thread of its own.
pub struct Sink {
    state: Mutex<State>,
    /// There is something to write, or to write at once.
    filled: Condvar,
    /// All was written and the thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    urgent: bool,
    dropped: u64,
    closing: bool,
    ended: bool,
}

impl Sink {
    /// A sink that writes to `output`.
    pub fn start(output: impl Write + Send + 'static) -> Arc<Self> {
        let sink = Arc::new(Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            ended: Condvar::new(),
        });
        let writer = Arc::clone(&sink);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_all(output))
            .expect("a program that has just started can start a thread");
        sink
    }

    /// Adds a line; `urgent` ones do not wait for more.
    pub fn append(&self, line: &[u8], urgent: bool) {
        let mut state = self.state();
        if state.closing || state.lines.len() + line.len() > BYTES_MAX {
            state.dropped += 1;
            return;
        }
        let before = state.lines.len();
        state.lines.extend_from_slice(line);
        state.urgent |= urgent;
        // The thread sleeps when there is nothing, and looks at no line until there is a reason.
        let is_enough = before < BYTES_ENOUGH && state.lines.len() >= BYTES_ENOUGH;
        if before == 0 || urgent || is_enough {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Writes what is there and ends; gives up on an output that does not take it in time.
    pub fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        self.filled.notify_one();
        let waited = self
            .ended
            .wait_timeout_while(state, CLOSE_TIMEOUT, |state| !state.ended);
        drop(waited);
    }

    fn write_all(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        let mut refused = 0;
        loop {
            let (dropped, closing) = self.take(&mut batch);
            let lines = count_lines(&batch);
            let lost = dropped + refused;
            if lost > 0 {
                note_dropped(&mut batch, lost);
            }
            // An output that refuses is no reason to fail anything: the lines are counted.
            refused = match output.write_all(&batch).and_then(|()| output.flush()) {
                Ok(()) => 0,
                Err(_) => lost + lines,
            };
            batch.clear();
            if closing {
                break;
            }
        }
        self.state().ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines, then swaps them against the empty `batch`.
    fn take(&self, batch: &mut Vec<u8>) -> (u64, bool) {
        let is_idle = |state: &mut State| state.lines.is_empty() && !state.closing;
        let is_early =
            |state: &mut State| state.lines.len() < BYTES_ENOUGH && !state.urgent && !state.closing;
        let state = self
            .filled
            .wait_while(self.state(), is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self.filled.wait_timeout_while(state, DELAY, is_early);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut state.lines, batch);
        state.urgent = false;
        (std::mem::take(&mut state.dropped), state.closing)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note_dropped(batch: &mut Vec<u8>, count: u64) {
    let note = format!(
        "{{\"level\":\"WARN\",\"service\":\"orderd\",\"message\":\"Dropped {count} log lines\",\
         \"dropped_count\":{count}}}\n"
    );
    batch.extend_from_slice(note.as_bytes());
}

fn count_lines(batch: &[u8]) -> u64 {
    batch.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests;

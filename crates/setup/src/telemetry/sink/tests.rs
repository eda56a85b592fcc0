use super::{BYTES_MAX, Sink};
use std::io::{Error, ErrorKind, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// An output that takes a batch when it is let, and fails where it is told to.
struct Output {
    allowed: Receiver<bool>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.allowed.recv() {
            Ok(false) => Err(Error::from(ErrorKind::StorageFull)),
            Ok(true) | Err(_) => self.written.lock().unwrap().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn sink() -> (Arc<Sink>, Sender<bool>, Arc<Mutex<Vec<u8>>>) {
    let (allow, allowed) = channel();
    let written = Arc::new(Mutex::default());
    let sink = Sink::start(Output {
        allowed,
        written: Arc::clone(&written),
    });
    (sink, allow, written)
}

fn end(sink: &Sink, written: &Mutex<Vec<u8>>) -> String {
    sink.close();
    String::from_utf8(written.lock().unwrap().clone()).unwrap()
}

#[test]
fn lines_come_in_order_and_none_is_missing_at_the_end() {
    let (sink, allow, written) = sink();
    drop(allow);
    let lines: Vec<String> = (0..10_000).map(|number| format!("{number}\n")).collect();
    for line in &lines {
        sink.append(line.as_bytes(), false);
    }
    assert_eq!(end(&sink, &written), lines.concat());
}

#[test]
fn lines_beyond_the_bound_are_counted_and_cost_no_waiting() {
    let (sink, allow, written) = sink();
    let line = vec![b'x'; 1 << 20];
    // The output takes nothing, yet every call returns; at most one batch is on its way to it.
    for _ in 0..3 * (BYTES_MAX / line.len()) {
        sink.append(&line, false);
    }
    drop(allow);
    let text = end(&sink, &written);
    assert!(text.len() <= 2 * BYTES_MAX + 1000);
    assert!(
        text.contains("\"dropped_count\":"),
        "the end says how many are missing"
    );
}

#[test]
fn lines_that_the_output_refuses_are_counted() {
    let (sink, allow, written) = sink();
    allow.send(false).unwrap();
    drop(allow);
    // Whichever lines are in the batch that is refused, all are accounted for in the end.
    let mut count = 0;
    while written.lock().unwrap().is_empty() {
        sink.append(b"line\n", true);
        count += 1;
        std::thread::yield_now();
    }
    let text = end(&sink, &written);
    let (_, rest) = text
        .split_once("\"dropped_count\":")
        .expect("the loss is told");
    let dropped: usize = rest[..rest.find('}').unwrap()].parse().unwrap();
    assert!(dropped >= 1);
    assert_eq!(dropped + text.matches("line\n").count(), count);
}

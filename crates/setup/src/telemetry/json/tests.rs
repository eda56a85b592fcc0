use super::{Line, Lines, escape};
use crate::telemetry::Sink;
use domain::Timestamp;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(log: impl FnOnce()) -> Vec<serde_json::Value> {
    let output = Output::default();
    let sink = Sink::start(output.clone());
    let subscriber = tracing_subscriber::registry().with(Lines::new(Arc::clone(&sink)));
    tracing::subscriber::with_default(subscriber, log);
    sink.close();
    let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_event_is_one_flat_object() {
    let lines = logged(|| {
        tracing::info!(
            order.id = %"0190", status = 201_u64, took = 0.5, replayed = true, route = "/orders",
            delta = -1, "Placed order {}", 7
        );
    });
    let line = &lines[0];
    assert_eq!(lines.len(), 1);
    assert_eq!(line["message"], "Placed order 7");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["service"], "orderd");
    assert_eq!(line["order_id"], "0190");
    assert_eq!(line["status"].as_u64(), Some(201));
    assert_eq!(line["delta"].as_i64(), Some(-1));
    assert_eq!(line["took"].as_f64(), Some(0.5));
    assert_eq!(line["replayed"], true);
    assert_eq!(line["route"], "/orders");
}

#[test]
fn an_error_is_told_with_its_sources() {
    let error = store::Error::Unavailable("disk\nfull".into());
    let lines = logged(|| {
        tracing::error!(
            error = &error as &(dyn std::error::Error + 'static),
            "Cannot commit"
        );
    });
    assert_eq!(lines[0]["error"], "the store is not available: disk\nfull");
}

#[test]
fn nothing_in_a_line_can_break_it_or_steer_a_terminal() {
    let check = |text: &str, expected: &str| {
        let mut line = String::new();
        escape(&mut line, text);
        assert_eq!(line, expected);
        assert_eq!(
            serde_json::from_str::<String>(&format!("\"{line}\"")).unwrap(),
            text
        );
    };
    check("plain ü 漢", "plain ü 漢");
    check("a\r\nb\tc", "a\\r\\nb\\tc");
    check("\u{1b}[2J\0\u{7f}\u{9b}", "\\u001b[2J\\u0000\\u007f\\u009b");
    check("\u{2028}x\u{2029}", "\\u2028x\\u2029");
    check(r#"say "hi" \ "#, r#"say \"hi\" \\ "#);
    check("", "");
}

#[test]
fn the_time_has_three_decimals_whether_or_not_the_second_is_new() {
    let mut line = Line::default();
    for (millis, expected) in [
        (1_000, "1970-01-01T00:00:01.000Z"),
        (1_007, "1970-01-01T00:00:01.007Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (2_120, "1970-01-01T00:00:02.120Z"),
    ] {
        line.begin(Timestamp::from_millis(millis), Level::INFO);
        line.end();
        let expected =
            format!("{{\"timestamp\":\"{expected}\",\"level\":\"INFO\",\"service\":\"orderd\"}}\n");
        assert_eq!(line.text, expected);
    }
}

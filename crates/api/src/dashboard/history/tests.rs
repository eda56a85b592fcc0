//! How rings fill.

use super::*;

fn counted(orders: u64, completed: u64, failed: u64) -> Counted {
    Counted {
        orders,
        completed,
        failed,
        ..Counted::default()
    }
}

fn ring(span: Span) -> Ring {
    Ring {
        span,
        samples: VecDeque::new(),
        since: None,
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

#[test]
fn a_sample_is_what_happened_since_the_last_one() {
    let mut ring = ring(Span::Minutes);
    ring.take(at(0), &counted(10, 0, 0), None);
    ring.take(at(2_000), &counted(30, 3, 1), None);
    let sample = ring.samples.back().expect("there is one");
    assert!((sample.orders - 10.0).abs() < 1e-9, "{sample:?}");
    assert_eq!(sample.failed, Some(0.25));
    assert_eq!(sample.slow_ms, None);
}

#[test]
fn a_ring_takes_a_sample_when_its_time_has_come_and_keeps_so_many() {
    let mut ring = ring(Span::Hour);
    for second in 0..=30 * 200 {
        ring.take(at(second * 1_000), &counted(0, 0, 0), None);
    }
    assert_eq!(ring.samples.len(), Span::Hour.samples().1);
    assert_eq!(
        ring.samples.back().map(|it| it.at),
        Some(at(30 * 200 * 1_000))
    );
}

#[test]
fn a_clock_that_was_set_back_begins_anew() {
    let mut ring = ring(Span::Minutes);
    ring.take(at(5_000), &counted(5, 0, 0), None);
    ring.take(at(1_000), &counted(6, 0, 0), None);
    ring.take(at(2_000), &counted(8, 0, 0), None);
    assert_eq!(ring.samples.len(), 1);
    assert!((ring.samples[0].orders - 2.0).abs() < 1e-9);
}

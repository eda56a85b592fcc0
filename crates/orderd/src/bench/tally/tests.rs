use super::*;

#[test]
fn a_sample_keeps_its_size_and_takes_from_all_that_passes() {
    let mut tally = Tally::new(100);
    for number in 0..100_000 {
        tally.sample.offer(number, b"x");
    }
    let kept = &tally.sample.kept;
    assert_eq!(kept.len(), 100);
    let late = kept.iter().filter(|(number, _)| *number >= 50_000).count();
    assert!(
        (25..=75).contains(&late),
        "{late} of 100 are from the second half"
    );
}

#[test]
fn counts_of_threads_add_up() {
    let mut sum = Tally::new(0);
    for latency in [1, 3] {
        let mut tally = Tally::new(1);
        tally.answered(201, Duration::from_millis(latency));
        tally.sent = 2;
        tally.failures = 1;
        tally.sample.offer(latency, b"x");
        sum.add(&tally);
    }
    assert_eq!((sum.sent, sum.failures, sum.statuses[&201]), (4, 2, 2));
    assert_eq!((sum.latencies.len(), sum.sample.kept.len()), (2, 2));
}

#[test]
fn a_latency_beyond_all_bounds_counts_as_the_longest() {
    let mut tally = Tally::new(0);
    tally.answered(201, Duration::from_hours(1));
    assert!(tally.latencies.max() >= 60_000_000);
}

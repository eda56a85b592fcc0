use super::*;

const LIMITS: Limits = Limits {
    batch: 5,
    concurrency: 512,
    lease_ms: 4_000,
    received_max: 5,
};

#[test]
fn a_slow_store_is_given_half_as_much_and_a_quick_one_as_much_as_there_may_be() {
    let (slow, quick) = (Duration::from_millis(1_001), Duration::from_secs(1));
    let mut most = LIMITS.concurrency;
    let mut seen = Vec::new();
    for _ in 0..8 {
        most = LIMITS.next_most(most, slow);
        seen.push(most);
    }
    assert_eq!(seen, [256, 128, 64, 32, 16, 8, 5, 5]);
    for _ in 0..8 {
        most = LIMITS.next_most(most, quick);
    }
    assert_eq!(most, 512);
}

#[test]
fn a_lease_leaves_room_for_the_next() {
    for most in 1..=LIMITS.concurrency {
        let mut batch = LIMITS.batch;
        for _ in 0..10 {
            batch = LIMITS.next_batch(batch, most, true);
            assert!(
                batch >= 1 && batch <= (most / 2).max(1),
                "{batch} of {most}"
            );
        }
        assert_eq!(batch, (most / 2).max(1), "of {most}");
        assert!(LIMITS.next_batch(batch, most, false) <= LIMITS.batch);
    }
}

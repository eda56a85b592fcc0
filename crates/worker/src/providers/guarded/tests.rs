use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn broken() -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..FAILURES_MAX {
        assert_eq!(breaker.admit(NOW), Ok(()));
        breaker.learn(true, NOW);
    }
    breaker
}

#[test]
fn it_opens_after_failures_in_a_row_and_not_after_as_many_among_successes() {
    assert_eq!(broken().admit(NOW), Err(OPEN_MS));
    let mut breaker = Breaker::default();
    for n in 0..10 * FAILURES_MAX {
        breaker.learn(n % FAILURES_MAX != 0, NOW);
    }
    assert_eq!(breaker.admit(NOW), Ok(()));
}

#[test]
fn one_call_sees_whether_the_provider_is_back() {
    let mut breaker = broken();
    let later = NOW.plus_millis(OPEN_MS);
    assert_eq!(breaker.admit(later), Ok(()));
    assert!(breaker.admit(later).is_err(), "one is enough");
    breaker.learn(true, later);
    assert_eq!(breaker.admit(later), Err(2 * OPEN_MS));

    let later = later.plus_millis(2 * OPEN_MS);
    assert_eq!(breaker.admit(later), Ok(()));
    breaker.learn(false, later);
    assert_eq!(breaker, Breaker::default());
}

#[test]
fn it_is_never_open_for_longer_than_its_bound() {
    let (mut breaker, mut now) = (broken(), NOW);
    for _ in 0..20 {
        now = now.plus_millis(breaker.admit(now).unwrap_err());
        assert_eq!(breaker.admit(now), Ok(()));
        breaker.learn(true, now);
    }
    assert_eq!(breaker.admit(now), Err(OPEN_MAX_MS));
}

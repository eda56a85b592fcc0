use super::{Bucket, Buckets, COUNTED_MAX, Who};
use domain::Timestamp;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn who(number: u32) -> Who {
    Who::Token(number.to_string().into())
}

fn takes(buckets: &Buckets, millis: i64) -> bool {
    matches!(buckets.take(&who(1), at(millis)), Bucket::Left { .. })
}

#[test]
fn a_burst_goes_through_and_then_as_many_as_the_rate_says() {
    let buckets = Buckets::new(10_000, 5);
    assert!((0..5).all(|_| takes(&buckets, 0)));
    let empty = buckets.take(&who(1), at(0));
    assert_eq!(empty, Bucket::Empty { wait_us: 10_000 });
    assert!(matches!(
        buckets.take(&who(2), at(0)),
        Bucket::Left { left: 4, .. }
    ));
    assert!(!takes(&buckets, 9));
    assert!(takes(&buckets, 10));
    assert!(!takes(&buckets, 10));
    assert!((0..5).all(|_| takes(&buckets, 1_000)));
    assert!(!takes(&buckets, 1_000));
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_for_longer_than_a_burst_takes() {
    let buckets = Buckets::new(10_000, 5);
    assert!(takes(&buckets, 900_000));
    assert!(!takes(&buckets, 0));
    assert!(takes(&buckets, 10));
}

#[test]
fn the_number_of_buckets_is_bounded() {
    let buckets = Buckets::new(10_000, 5);
    for number in 0..u32::try_from(COUNTED_MAX).unwrap() + 10 {
        buckets.take(&who(number), at(0));
    }
    assert!(buckets.full_at().len() <= COUNTED_MAX);
}

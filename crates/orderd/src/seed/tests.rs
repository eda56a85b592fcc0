use super::*;

#[test]
fn the_summary_is_one_line() {
    let seeded = Seeded {
        placed: 1_500,
        already_there: 20,
        seconds: 0.5,
    };
    assert_eq!(
        seeded.to_string(),
        "1,500 orders placed, 20 already there, in 0.5 s (3,000 orders/s)"
    );
}

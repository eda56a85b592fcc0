use super::{QUANTITY_MAX, Quantity, Status};

#[test]
fn every_status_has_its_own_word_and_reads_back() {
    for status in Status::all() {
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    assert_eq!(Status::all().count(), 8);
    assert_eq!(Status::parse("Created"), None);
}

#[test]
fn the_moves_are_those_of_the_design() {
    let moves: Vec<String> = Status::all()
        .flat_map(|from| from.allowed().iter().map(move |to| (from, to)))
        .map(|(from, to)| format!("{} {}", from.as_str(), to.as_str()))
        .collect();
    assert_eq!(
        moves,
        [
            "created processing",
            "created cancelled",
            "processing completed",
            "processing compensating",
            "processing needs_review",
            "compensating failed",
            "compensating cancelled",
            "compensating needs_review",
            "failed created",
            "needs_review processing",
            "needs_review compensating",
            "completed refunded",
        ]
    );
}

#[test]
fn a_quantity_is_one_to_a_million() {
    assert_eq!(Quantity::parse(0), None);
    assert_eq!(Quantity::parse(1).map(Quantity::get), Some(1));
    assert_eq!(
        Quantity::parse(1_000_000).map(Quantity::get),
        Some(QUANTITY_MAX)
    );
    assert_eq!(Quantity::parse(1_000_001), None);
    assert_eq!(Quantity::parse(1 << 63), None);
    assert_eq!(Quantity::parse((1 << 32) + 1), None);
}

use super::{EventId, Ids, OrderId, first_half, from_halves, second_half};
use crate::Timestamp;
use proptest::prelude::*;

#[test]
fn ids_grow_though_the_clock_goes_back() {
    let ids = Ids::new(|| 7);
    let minted: Vec<_> = [5_000, 5_000, 4_000, 1, 5_001]
        .into_iter()
        .map(|millis| ids.mint(Timestamp::from_millis(millis)))
        .collect();

    assert!(
        minted.is_sorted_by(|a, b| first_half(*a) < first_half(*b)),
        "{minted:?}"
    );
    assert!(minted.iter().all(|id| id.get_version_num() == 7));
}

#[test]
fn ids_start_after_what_was_stored() {
    let stored = from_halves(u64::MAX >> 5, 0);
    let ids = Ids::new(|| 7);
    ids.start_after(stored);
    assert!(first_half(ids.mint(Timestamp::EPOCH)) > first_half(stored));
}

#[test]
fn only_the_canonical_spelling_is_an_id() {
    let text = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(
        OrderId::parse(text).map(|id| id.to_string()).as_deref(),
        Some(text)
    );
    for wrong in [
        "",
        "1",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "01890a5dac96774bbcceb302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "01890a5d-ac96-774b-bcce-b302099a805g",
        "01890a5d-ac96-174b-bcce-b302099a8057",
    ] {
        assert_eq!(OrderId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_least_id_of_a_time_is_no_later_than_one_minted_then() {
    let now = Timestamp::from_millis(1_780_000_000_000);
    let minted = OrderId::new(Ids::new(|| 0).mint(now));
    assert!(OrderId::least_at(now) <= minted);
    assert!(minted < OrderId::least_at(now.plus_millis(1)));
}

proptest! {
    #[test]
    fn a_uuid_is_made_of_its_halves(first in 0..1_u64 << 60, second in 0..1_u64 << 63) {
        let id = from_halves(first, second);
        prop_assert_eq!((first_half(id), second_half(id)), (first, second));
    }
}

#[test]
fn what_precedes_an_id_is_before_it_with_nothing_between() {
    let ids = Ids::new(|| 0);
    let first = EventId::new(ids.mint(Timestamp::from_millis(1_000)));
    assert_eq!(first, EventId::least_at(Timestamp::from_millis(1_000)));
    let before = first.preceding();
    assert!(before < first);
    assert_eq!(
        first_half(before.as_uuid()) + 1,
        first_half(first.as_uuid())
    );
    assert_eq!(before.minted_at(), Timestamp::from_millis(999));
}

#[test]
fn an_order_that_another_system_numbered_has_that_number_for_ever() {
    for number in [1, 7, OrderId::NUMBER_MAX] {
        let id = OrderId::numbered(number).unwrap();
        assert_eq!(id.number(), Some(number));
        assert_eq!(OrderId::parse(&id.to_string()), Some(id));
    }
    assert_eq!(OrderId::numbered(0), None);
    assert_eq!(OrderId::numbered(OrderId::NUMBER_MAX + 1), None);
    let minted = Ids::new(|| 0).mint(Timestamp::from_millis(1_780_000_000_000));
    assert_eq!(OrderId::new(minted).number(), None);
    let random = OrderId::parse("00000000-0001-4000-8000-000000000000").unwrap();
    assert_eq!(random.number(), None);
}

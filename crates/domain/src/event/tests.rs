use super::*;

#[test]
fn the_table_of_kinds_is_in_their_order_and_no_word_comes_twice() {
    for (place, kind) in EventKind::all().enumerate() {
        assert_eq!(kind as usize, place, "{kind:?}");
        assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
    }
}

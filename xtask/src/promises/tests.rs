use super::Promises;
use std::collections::BTreeSet;

#[test]
fn each_promise_has_a_row_and_each_backend_a_column() {
    let mut promises = Promises::new(BTreeSet::from(["races".to_owned()]));
    for (backend, line) in [
        (
            "sqlite",
            "test sqlite::keeps_its_promises::a_key_is_taken_once ... ok",
        ),
        (
            "sqlite",
            "test mysql::keeps_its_promises::a_key_is_taken_once ... FAILED",
        ),
        ("sqlite", "test races::one_key ... ok"),
        ("mysql", "test races::one_key ... ok"),
        ("mysql", "test races::another ... ok"),
        ("mysql", "test races::tests::of_a_helper ... ok"),
        ("mysql", "test elsewhere::something ... ok"),
        ("mysql", "nothing to do with tests"),
    ] {
        promises.note(backend, line);
    }
    let table = promises.table(&["sqlite", "mysql"]);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        rows,
        [
            vec!["promise of a store", "sqlite", "mysql"],
            vec!["a key is taken once", "1 ok", "1 FAILED"],
            vec![],
            vec!["through the front door", "sqlite", "mysql"],
            vec!["races", "1 ok", "2 ok"],
            vec![],
        ]
    );
}

use super::{CUSTOMERS, Index, MOVE_AT};
use rusqlite::Connection;

const HASH: i64 = 7;

fn tables() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(include_str!("../../migrations/sqlite/0001_orders.sql"))
        .unwrap();
    connection
}

/// Every second row of one customer, enough of them that a move begins.
fn full() -> Index {
    let index = Index::new(CUSTOMERS);
    index.publish((1..=i64::try_from(MOVE_AT).unwrap()).map(|n| (HASH, 2 * n)));
    index
}

fn rows(index: &Index, connection: &Connection, limit: usize) -> Vec<i64> {
    index
        .look(HASH, i64::MAX, limit)
        .with_moved(connection)
        .unwrap()
}

/// What a start finds: the table, and the rows after `moved_to`.
fn moved(connection: &Connection) -> (usize, i64) {
    let select = "select (select count(*) from customer_index), moved_to from index_state
                  where name = 'customer_index'";
    connection
        .query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
}

#[test]
fn a_row_that_comes_late_is_found_after_a_restart() {
    let (index, connection) = (full(), tables());
    let mut under_way = index.begin_move().unwrap();

    index.enter(&connection, (HASH, 3)).unwrap();
    index.publish([(HASH, 3)]);
    index
        .move_some(&connection, &mut under_way, usize::MAX)
        .unwrap();
    assert!(under_way.is_done());
    index.end_move();

    assert_eq!(
        moved(&connection),
        (MOVE_AT + 1, 2 * i64::try_from(MOVE_AT).unwrap())
    );
    let restarted = Index::new(CUSTOMERS);
    restarted.moved_to(&connection).unwrap();
    assert!(rows(&restarted, &connection, MOVE_AT + 1).contains(&3));
}

#[test]
fn rows_are_found_at_every_moment_of_a_move_and_never_twice() {
    let (index, connection) = (full(), tables());
    let before = rows(&index, &connection, 100);
    assert!(before.is_sorted_by(|a, b| a > b) && before.len() == 100);

    let mut under_way = index.begin_move().unwrap();
    for _ in 0..4 {
        assert_eq!(rows(&index, &connection, 100), before);
        index
            .move_some(&connection, &mut under_way, MOVE_AT / 4)
            .unwrap();
    }
    assert_eq!(rows(&index, &connection, 100), before);
    index.end_move();
    assert_eq!(rows(&index, &connection, 100), before);
}

#[test]
fn a_move_that_was_rolled_back_starts_over() {
    let (index, connection) = (full(), tables());
    let mut under_way = index.begin_move().unwrap();
    connection.execute_batch("begin").unwrap();
    index
        .move_some(&connection, &mut under_way, usize::MAX)
        .unwrap();
    connection.execute_batch("rollback").unwrap();
    under_way.restart();

    assert_eq!(moved(&connection), (0, 0));
    index
        .move_some(&connection, &mut under_way, usize::MAX)
        .unwrap();
    assert_eq!(moved(&connection).0, MOVE_AT);
}

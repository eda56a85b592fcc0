//! SQLite: the contract, and what a file and its one owner promise beyond it.

use crate::contract::{Fresh, contract, together};
use crate::fixtures::{NOW, Still, draft, everything, ids, placed, placing, placing_at, scope};
use crate::others::{an_order_of_another_system_keeps_its_id, are_listed};
use crate::outbox::{drive, stocked};
use domain::CustomerId;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use store::cache::Cache;
use store::open::{Access, Options, locate};
use store::{Check, Committed, OpenError, OrderQuery, Store};

contract!(keeps_its_promises, super::fresh);
contract!(
    keeps_its_promises_without_a_customer_index,
    super::fresh_without_customer_index
);

fn options(path: &Path, access: Access, customer_index: bool) -> Options {
    Options {
        url: format!("sqlite:{}", path.display()),
        access,
        customer_index,
        cache: Arc::new(Cache::off()),
    }
}

async fn open(path: &Path) -> Result<Arc<dyn Store>, OpenError> {
    store::open(&options(path, Access::Own, true), &Still).await
}

async fn fresh() -> Option<Fresh> {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("orders.db")).await.unwrap();
    Some(Fresh {
        store,
        _keep: Box::new(directory),
    })
}

async fn fresh_without_customer_index() -> Option<Fresh> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let store = store::open(&options(&path, Access::Own, false), &Still)
        .await
        .unwrap();
    Some(Fresh {
        store,
        _keep: Box::new(directory),
    })
}

/// A file with three orders in it, closed.
async fn used(path: &Path) {
    let (store, ids) = (open(path).await.unwrap(), ids());
    for n in 0..3 {
        store
            .commit(Arc::new(placing(&ids, &format!("k{n}"))))
            .await
            .unwrap();
    }
    // One of them is driven to its end.
    stocked(&*store, &ids, 5).await;
    let order = placing_at(&ids, NOW, None, draft("cust2"));
    store.commit(Arc::new(order.clone())).await.unwrap();
    drive(&*store, &ids, placed(&order), |_| false).await;
    store.close().await.unwrap();
}

fn words(result: Result<Arc<dyn Store>, OpenError>) -> String {
    let words = result.err().expect("it is refused").to_string();
    assert!(
        words.contains("\nWhy: ") && words.contains("\nFix: "),
        "{words}"
    );
    words
}

#[tokio::test]
async fn orders_of_other_systems_are_listed_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let store = open(&path).await.unwrap();
    an_order_of_another_system_keeps_its_id(&*store).await;
    store.close().await.unwrap();
    drop(store);
    are_listed(&*open(&path).await.unwrap()).await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart_and_so_are_the_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/orders.db");
    used(&path).await;

    let store = open(&path).await.unwrap();
    let listed = store.orders(everything()).await.unwrap().items;
    assert_eq!(listed.len(), 4);
    let events = store.events(listed[0].id).await.unwrap();
    let newest = events.last().unwrap().id;
    assert_eq!(store.stats().await.unwrap().newest_event, Some(newest));
    let again = store.commit(Arc::new(placing(&ids(), "k1"))).await.unwrap();
    assert!(matches!(again, Committed::Seen(_)), "{again:?}");
}

#[tokio::test]
async fn a_second_owner_is_refused_and_a_reader_beside_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let store = open(&path).await.unwrap();
    store.commit(Arc::new(placing(&ids(), "k"))).await.unwrap();

    assert!(matches!(open(&path).await, Err(OpenError::Owned(_))));
    assert!(words(open(&path).await).contains(&format!("process {}", std::process::id())));
    let reader = store::open(&options(&path, Access::Read, true), &Still)
        .await
        .unwrap();
    assert_eq!(reader.orders(everything()).await.unwrap().items.len(), 1);
    assert!(reader.seen(&scope("k")).await.unwrap().is_some());
    assert!(
        reader
            .commit(Arc::new(placing(&ids(), "k2")))
            .await
            .is_err()
    );
    drop(store);
}

#[tokio::test]
async fn a_file_that_is_not_a_sound_file_of_ours_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let check = async |what: &str, spoil: &dyn Fn()| {
        spoil();
        let before = std::fs::read(&path).unwrap();
        let result = open(&path).await;
        assert!(matches!(result, Err(OpenError::Damaged(_))), "{what}");
        words(result);
        assert!(
            std::fs::read(&path).unwrap() == before,
            "{what}: the file was changed"
        );
        std::fs::remove_file(&path).unwrap();
    };
    check("text", &|| std::fs::write(&path, "dear diary").unwrap()).await;
    check("another program's", &|| {
        Connection::open(&path)
            .unwrap()
            .execute_batch("create table diary (page)")
            .unwrap();
    })
    .await;
    used(&path).await;
    check("flipped bytes", &|| {
        let mut bytes = std::fs::read(&path).unwrap();
        let third = bytes.len() / 3;
        bytes[third..2 * third].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
    })
    .await;
    used(&path).await;
    check("another migration", &|| {
        let raw = Connection::open(&path).unwrap();
        raw.execute("update schema_migrations set checksum = 'x'", [])
            .unwrap();
        raw.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    used(&path).await;
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(open(&path).await, Err(OpenError::Newer(_))));
    assert!(words(open(&path).await).contains("version 99"));
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let result = open(&file.join("orders.db")).await;
    assert!(matches!(result, Err(OpenError::Inaccessible(_))));
    words(result);
    let none = options(&directory.path().join("none.db"), Access::Read, true);
    words(store::open(&none, &Still).await);
}

#[test]
fn urls_are_read_as_people_write_them() {
    let check = |url: &str, path: &str| {
        assert_eq!(
            locate(url).unwrap(),
            store::open::Location::Sqlite(path.into()),
            "{url}"
        );
    };
    check("sqlite:orders.db", "orders.db");
    check("sqlite:/var/orders.db", "/var/orders.db");
    check("sqlite:///orders.db", "orders.db");
    check("sqlite:////var/orders.db", "/var/orders.db");
    for url in [
        "postgres://u@h/d",
        "postgresql://u@h/d",
        "postgresql+psycopg2://u@h/d",
    ] {
        let expected = store::open::Location::Postgres("postgres://u@h/d".to_owned());
        assert_eq!(locate(url).unwrap(), expected, "{url}");
    }
    for (url, orders) in [
        ("dynamodb://shop", None),
        ("dynamodb://shop/", None),
        ("dynamodb://shop?orders=order-table", Some("order-table")),
    ] {
        let expected = store::open::Location::Dynamodb {
            prefix: "shop".to_owned(),
            orders: orders.map(ToOwned::to_owned),
        };
        assert_eq!(locate(url).unwrap(), expected, "{url}");
    }
    for url in [
        "dynamodb://",
        "dynamodb:shop",
        "dynamodb://a b",
        "dynamodb://shop?table=x",
        "dynamodb://shop?orders=x",
        "",
        "orders.db",
        "sqlite:",
        "sqlite::memory:",
        "mongodb://u:secret@h/d",
    ] {
        let error = locate(url).unwrap_err().to_string();
        assert!(
            error.contains("\nFix: ") && !error.contains("secret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn files_are_readable_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/orders.db");
    let _store = open(&path).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("data")), 0o700);
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn ledger_and_events_cannot_be_changed_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    used(&path).await;
    let raw = Connection::open(&path).unwrap();
    for sql in [
        "update ledger_rows set quantity = 7",
        "delete from ledger_rows",
        "update event_rows set kind = 1",
        "delete from event_rows",
        "update transfer_rows set amount = 7",
        "delete from transfer_rows",
    ] {
        let error = raw.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
}

/// What breaks each promise, behind the back of the store.
const DAMAGES: [(Check, &str); 21] = [
    (
        Check::AllOrNothing,
        "delete from line_rows where order_id = (select max(order_id) from order_rows)",
    ),
    (
        Check::AllOrNothing,
        "drop trigger ledger_is_never_deleted; delete from ledger_rows",
    ),
    (
        Check::AllOrNothing,
        "drop trigger events_are_never_deleted; delete from event_rows",
    ),
    (Check::AllOrNothing, "delete from wake_rows"),
    (Check::AllOrNothing, "delete from order_rows"),
    (Check::OneOrderPerKey, "delete from order_rows"),
    (
        Check::OneOrderPerKey,
        "update key_rows set order_id = (select max(order_id) from order_rows)",
    ),
    (Check::OneOrderPerKey, "update key_rows set key = 'same'"),
    (
        Check::LedgerAgrees,
        "update line_rows set quantity = quantity + 1",
    ),
    (
        Check::LedgerAgrees,
        "update order_rows set total_minor = total_minor + 1",
    ),
    (
        Check::LedgerAgrees,
        "drop trigger ledger_is_never_updated; update ledger_rows set currency = 'EUR'",
    ),
    (Check::AppendOnly, "drop trigger ledger_is_never_updated"),
    (
        Check::AppendOnly,
        "drop trigger orders_move_along_the_table",
    ),
    (
        Check::TransfersAgree,
        "update order_rows set captured_minor = captured_minor - 1",
    ),
    (
        Check::TransfersAgree,
        "drop trigger transfers_are_never_deleted;
             delete from transfer_rows where number = (select max(number) from transfer_rows)",
    ),
    (
        Check::TransfersAgree,
        "insert into transfer_rows select subject, number + 10, kind, pending_number, item_id,
               debit, credit, amount, reason, occurred_at from transfer_rows where kind = 2",
    ),
    (
        Check::StockAgrees,
        "update stock_rows set on_hand = on_hand + 1",
    ),
    (
        Check::StockAgrees,
        "update stock_rows set reserved = reserved + 1",
    ),
    (Check::StockAgrees, "delete from stock_rows"),
    (
        Check::NothingStuck,
        "update order_rows set status = 1, version = version + 1 where status = 0",
    ),
    (
        Check::NothingStuck,
        "drop trigger orders_move_along_the_table;
             update order_rows set status = 4, version = version + 1 where status = 0",
    ),
];

#[tokio::test]
async fn the_audit_finds_each_kind_of_damage() {
    for (check, sql) in DAMAGES {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("orders.db");
        used(&path).await;
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let store = store::open(&options(&path, Access::Read, true), &Still)
            .await
            .unwrap();
        let page = store.audit(check, None).await.unwrap();
        assert!(!page.items.is_empty(), "{} after {sql}", check.as_str());
    }
}

#[tokio::test]
async fn the_sql_that_people_know_shows_the_ids_of_the_api() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let (store, ids) = (open(&path).await.unwrap(), ids());
    let write_set = placing(&ids, "test-123");
    let order = placed(&write_set);
    store.commit(Arc::new(write_set)).await.unwrap();

    let raw = Connection::open(&path).unwrap();
    let text = |sql: &str| {
        raw.query_row(sql, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    let id = order.id.to_string();
    assert_eq!(text("SELECT order_id FROM orders"), id);
    assert_eq!(text("SELECT order_id FROM order_lines"), id);
    assert_eq!(text("SELECT order_id FROM events"), id);
    assert_eq!(text("SELECT subject FROM outbox"), id);
    assert_eq!(
        text("SELECT orders.order_id FROM orders JOIN ledger ON orders.order_id = ledger.order_id"),
        id
    );
    assert_eq!(
        text("SELECT idempotency_key || ' ' || order_id || ' ' || status FROM idempotency_records"),
        format!("test-123 {id} 201")
    );
    assert_eq!(
        text(
            "SELECT customer_id || ' ' || item_id || ' ' || quantity || ' ' || status || ' ' || created_at FROM orders"
        ),
        "cust1 pen 2 created 2026-05-28T20:26:40.000Z"
    );
    assert_eq!(
        text("SELECT event_id FROM events"),
        store.events(order.id).await.unwrap()[0].id.to_string()
    );
}

/// More keys than stay in memory: they are moved into the tables while orders are placed, and
/// none is lost, before or after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_customers_are_found_when_they_have_left_the_memory() {
    const ORDERS: usize = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let (store, ids) = (open(&path).await.unwrap(), ids());
    for chunk in 0..ORDERS / 500 {
        let group = (chunk * 500..(chunk + 1) * 500).map(|n| {
            let customer = format!("cust{}", n / 10);
            placing_at(&ids, NOW, Some(&format!("k{n}")), draft(&customer))
        });
        let answers = together(&*store, group.collect()).await;
        assert!(answers.iter().all(|answer| *answer == Committed::Done));
    }
    let moved = |table: &str| -> i64 {
        let sql = format!("select count(*) from {table}");
        Connection::open(&path)
            .unwrap()
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    };
    assert!(moved("key_index") >= 65_536 && moved("customer_index") >= 65_536);

    every_key_and_customer_is_found(&*store, ORDERS).await;
    store.close().await.unwrap();
    drop(store);
    every_key_and_customer_is_found(&*open(&path).await.unwrap(), ORDERS).await;
}

async fn every_key_and_customer_is_found(store: &dyn Store, orders: usize) {
    for n in (0..orders).step_by(97) {
        let seen = store.seen(&scope(&format!("k{n}"))).await.unwrap();
        assert!(seen.is_some(), "k{n}");
        let customer_id = CustomerId::parse(&format!("cust{}", n / 10));
        let query = OrderQuery {
            customer_id,
            ..everything()
        };
        let page = store.orders(query).await.unwrap();
        assert_eq!(page.items.len(), 10, "cust{}", n / 10);
        assert!(
            page.items
                .iter()
                .any(|order| Some(order.id) == seen.as_ref().unwrap().order_id())
        );
    }
    assert!(store.seen(&scope("never")).await.unwrap().is_none());
}

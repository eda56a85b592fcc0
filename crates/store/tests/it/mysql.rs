//! `MariaDB` and `MySQL`: the contract, and what a server that many processes share promises beyond
//! it.

use crate::contract::{Fresh, contract};
use crate::shared::{self, Two, shared};
use std::io::Write as _;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

contract!(keeps_its_promises, super::fresh);
shared!(is_shared, super::two);

/// The URL of a database of a test's own, which is made when it is opened.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no other configuration"
)]
fn database() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let Ok(server) = std::env::var("ORDERD_TEST_MYSQL_URL") else {
        assert!(
            std::env::var_os("ORDERD_TEST_ALL").is_none(),
            "all tests were asked for, and there is no MariaDB"
        );
        // Past the capture of the test runner.
        let mut stderr = std::io::stderr().lock();
        let skipped = "SKIPPED: a test that needs a MariaDB; `cargo xtask test` starts one";
        let _closed = writeln!(stderr, "{skipped}");
        return None;
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Some(format!("{server}/store_{}_{count}", process::id()))
}

async fn fresh() -> Option<Fresh> {
    Some(shared::fresh(&database()?).await)
}

async fn two() -> Option<Two> {
    Some(shared::two(&database()?).await)
}

#[tokio::test]
async fn a_reader_beside_them_finds_no_tables_where_there_are_none() {
    if let Some(url) = database() {
        shared::a_reader_finds_no_tables(&url, "Unknown database").await;
    }
}

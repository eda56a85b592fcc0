//! DynamoDB: the contract, and what a store that many processes share promises beyond it.

use crate::contract::{Fresh, contract};
use crate::shared::{self, Two, shared};
use std::io::Write as _;

contract!(keeps_its_promises, super::fresh);
shared!(is_shared, super::two);

/// Tables of a test's own; the environment says where they are made.
fn url() -> Option<String> {
    if std::env::var_os("ORDERD_TEST_AWS").is_none() {
        assert!(
            std::env::var_os("ORDERD_TEST_ALL").is_none(),
            "all tests were asked for, and there is no DynamoDB"
        );
        // Past the capture of the test runner.
        let mut stderr = std::io::stderr().lock();
        let skipped =
            "SKIPPED: a test that needs a DynamoDB; `cargo xtask test` starts an emulator";
        let _closed = writeln!(stderr, "{skipped}");
        return None;
    }
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let name = test.rsplit("::").next().unwrap_or_default();
    Some(format!("dynamodb://{name}"))
}

async fn fresh() -> Option<Fresh> {
    Some(shared::fresh(&url()?).await)
}

async fn two() -> Option<Two> {
    Some(shared::two(&url()?).await)
}

#[tokio::test]
async fn a_reader_beside_them_finds_no_tables_where_there_are_none() {
    if let Some(url) = url() {
        shared::a_reader_finds_no_tables(&url, "holds no orders").await;
    }
}

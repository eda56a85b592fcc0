//! DynamoDB: the contract, and what a store that many processes share promises beyond it.

use crate::contract::{Fresh, contract};
use crate::fixtures::Still;
use crate::shared::{Two, shared};
use std::io::Write as _;
use std::sync::Arc;
use store::cache::Cache;
use store::open::{Access, Options};
use store::{OpenError, Store};

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

fn options(url: &str, access: Access) -> Options {
    Options {
        url: url.to_owned(),
        access,
        customer_index: true,
        cache: Arc::new(Cache::off()),
    }
}

async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    store::open(&options(url, Access::Own), &Still).await
}

async fn fresh() -> Option<Fresh> {
    let store = open(&url()?).await.unwrap();
    Some(Fresh {
        store,
        _keep: Box::new(()),
    })
}

/// Both find no tables, and one of them makes them.
async fn two() -> Option<Two> {
    let url = url()?;
    let (one, other) = tokio::join!(open(&url), open(&url));
    Some((one.unwrap(), other.unwrap()))
}

#[tokio::test]
async fn a_reader_beside_them_finds_no_tables_where_there_are_none() {
    let Some(url) = url() else {
        return;
    };
    let refused = store::open(&options(&url, Access::Read), &Still).await;
    let words = refused.err().expect("it is refused").to_string();
    assert!(words.contains("holds no orders"), "{words}");
    open(&url).await.unwrap().close().await.unwrap();
    let reader = store::open(&options(&url, Access::Read), &Still).await;
    assert_eq!(reader.unwrap().stats().await.unwrap().schema_version, 1);
}

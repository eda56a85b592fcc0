//! `MariaDB` and `MySQL`: the contract, and what a server that many processes share promises beyond
//! it.

use crate::contract::{Fresh, contract};
use crate::fixtures::Still;
use crate::shared::{Two, shared};
use std::io::Write as _;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use store::cache::Cache;
use store::open::{Access, Options};
use store::{OpenError, Store};

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

async fn open(url: &str, access: Access) -> Result<Arc<dyn Store>, OpenError> {
    let options = Options {
        url: url.to_owned(),
        access,
        customer_index: true,
        cache: Arc::new(Cache::off()),
    };
    store::open(&options, &Still).await
}

async fn fresh() -> Option<Fresh> {
    let url = database()?;
    let store = open(&url, Access::Own).await.unwrap();
    Some(Fresh {
        store,
        _keep: Box::new(()),
    })
}

/// Both find no tables, and one of them makes them.
async fn two() -> Option<Two> {
    let url = database()?;
    let (one, other) = tokio::join!(open(&url, Access::Own), open(&url, Access::Own));
    Some((one.unwrap(), other.unwrap()))
}

#[tokio::test]
async fn a_reader_beside_them_finds_no_tables_where_there_are_none() {
    let Some(url) = database() else {
        return;
    };
    let refused = open(&url, Access::Read).await;
    let words = refused.err().expect("it is refused").to_string();
    assert!(words.contains("Unknown database"), "{words}");
    open(&url, Access::Own)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let reader = open(&url, Access::Read).await;
    assert_eq!(reader.unwrap().stats().await.unwrap().schema_version, 1);
}

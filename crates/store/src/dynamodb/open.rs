//! Opening: reach the service, make the tables that are not there, look whether they are ours.

use super::items::{bytes, item, number, text};
use super::tables::{Tables, refusal};
use super::{Db, Dynamo};
use crate::afterwards::{Afterwards, Journal};
use crate::open::{Access, OpenError, Options};
use crate::server::opening;
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use std::sync::Arc;
use std::time::Duration;

/// The version of what is in the tables.
pub(super) const VERSION: u32 = 1;
/// How long a connection may take, and a call.
const CONNECT_MAX: Duration = Duration::from_secs(2);
const CALL_MAX: Duration = Duration::from_secs(5);

/// Opens the tables whose names begin with `prefix`; that of the orders may have another name.
pub(crate) async fn open(
    prefix: &str,
    orders: Option<&str>,
    options: &Options,
) -> Result<Dynamo, OpenError> {
    let location = format!("dynamodb://{prefix}");
    let tables = Arc::new(Tables::new(prefix, orders));
    let client = client().await;
    let db = Db { client, tables };
    if options.access == Access::Own {
        db.tables.make(&db.client).await?;
    } else if db.tables.missing(&db.client).await?.is_some() {
        return Err(opening::unused(&location));
    }
    db.check_version(&location, options.access).await?;
    let journal: Arc<dyn Journal> = Arc::new(db.clone());
    Ok(Dynamo {
        db,
        after: Afterwards::new(Arc::clone(&options.cache)),
        journal,
        location,
    })
}

/// A client as the environment describes it: region, credentials, endpoint.
async fn client() -> Client {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().tls_provider(tls).build_https())
        // One layer tries again, and it is ours.
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_MAX)
                .operation_attempt_timeout(CALL_MAX)
                .build(),
        )
        .load()
        .await;
    Client::new(&config)
}

impl Db {
    /// Refuses tables that a newer orderd has written; says of new ones which version they have.
    async fn check_version(&self, location: &str, access: Access) -> Result<(), OpenError> {
        let table = &self.tables.records;
        let key = item([
            ("kind", Some(text("schema"))),
            ("id", Some(text("version"))),
        ]);
        let get = self
            .client
            .get_item()
            .table_name(table)
            .consistent_read(true);
        let got = get.set_key(Some(key.clone())).send().await;
        let got = got.map_err(|error| refusal(table, &error))?;
        let Some(stored) = got.item else {
            if access == Access::Read {
                return Err(opening::unused(location));
            }
            let mut version = key;
            version.insert("version".to_owned(), number(VERSION));
            version.insert("body".to_owned(), bytes(b"orderd"));
            let put = self
                .client
                .put_item()
                .table_name(table)
                .set_item(Some(version));
            let put = put.send().await;
            return put.map(drop).map_err(|error| refusal(table, &error));
        };
        let version = stored.get("version").and_then(|it| it.as_n().ok());
        match version.and_then(|version| version.parse::<u32>().ok()) {
            Some(version) if version > VERSION => Err(OpenError::Newer(format!(
                "What is in {location} has version {version}, and this build knows {VERSION}.\n\
                 Why: a newer orderd has used the tables. Nothing is damaged.\n\
                 Fix: run that newer orderd."
            ))),
            Some(_) => Ok(()),
            None => Err(opening::foreign(
                location,
                &format!("{table} holds no version"),
            )),
        }
    }
}

//! Opening: reach the service, make the tables that are not there, look whether they are ours.

use super::items::{bytes, item, number, text};
use super::tables::{Tables, refusal};
use super::{Db, Dynamo};
use crate::afterwards::{Afterwards, Journal};
use crate::aws;
use crate::open::{Access, OpenError, Options};
use crate::server::opening;
use aws_sdk_dynamodb::Client;
use std::sync::Arc;

/// The version of what is in the tables.
pub(super) const VERSION: u32 = 1;

/// Opens the tables whose names begin with `prefix`; that of the orders may have another name.
pub(crate) async fn open(
    prefix: &str,
    orders: Option<&str>,
    options: &Options,
) -> Result<Dynamo, OpenError> {
    let location = format!("dynamodb://{prefix}");
    let tables = Arc::new(Tables::new(prefix, orders));
    let client = Client::new(&aws::config().await);
    let db = Db { client, tables };
    match options.access {
        Access::Own => db.tables.make(&db.client).await?,
        // What it needs is there, or a call says that it is not.
        Access::Join => {}
        Access::Read if db.tables.missing(&db.client).await?.is_none() => {}
        Access::Read => return Err(opening::unused(&location)),
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
            if access != Access::Own {
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

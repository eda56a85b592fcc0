//! The tables, their keys and indexes, and what is asked of each. The table of access patterns is
//! in `docs/dynamodb.md`.

use crate::aws::words;
use crate::open::OpenError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification,
};
use std::time::Duration;
use tokio::time::sleep;

/// Over how many partitions an index spreads what is written at one time. Each takes a thousand
/// writes a second; a page of a list asks all of them.
pub(super) const SHARDS: u8 = 8;
/// How often it is looked whether a table is ready.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often at most.
const LOOKS_MAX: usize = 240;

/// The names of the tables.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// An order an item, as it is now.
    pub(super) orders: String,
    /// What was recorded of orders and stays: ledger entries, events, transfers.
    pub(super) journal: String,
    /// Idempotency records.
    pub(super) keys: String,
    /// Who is to be woken.
    pub(super) outbox: String,
    /// Small things that are read and written whole, stock, and the log of deliveries.
    pub(super) records: String,
}

/// Orders by the time in their ids.
pub(super) const ORDERS_BY_TIME: &str = "orders_by_time";
/// Orders of a customer.
pub(super) const ORDERS_BY_CUSTOMER: &str = "orders_by_customer";
/// Events of all orders by their ids.
pub(super) const EVENTS_BY_ID: &str = "events_by_id";
/// Wakes of a consumer by when they are due.
pub(super) const WAKES_BY_DUE: &str = "wakes_by_due";
/// When an item may be removed, in seconds since 1970.
pub(super) const EXPIRES_AT: &str = "expires_at";

/// A key: the attribute that chooses the partition, and the one that sorts within it.
type Key = (&'static str, Option<(&'static str, ScalarAttributeType)>);

/// What a table looks like.
struct Table<'t> {
    name: &'t str,
    key: Key,
    indexes: Vec<(&'static str, Key, ScalarAttributeType)>,
    expires: bool,
}

impl Tables {
    /// Of a prefix; the table of orders may have a name of its own.
    pub(super) fn new(prefix: &str, orders: Option<&str>) -> Self {
        let named = |table: &str| format!("{prefix}-{table}");
        Self {
            orders: orders.map_or_else(|| named("orders"), ToOwned::to_owned),
            journal: named("journal"),
            keys: named("keys"),
            outbox: named("outbox"),
            records: named("records"),
        }
    }

    fn all(&self) -> [Table<'_>; 5] {
        use ScalarAttributeType::{N, S};
        [
            Table {
                name: &self.orders,
                key: ("order_id", None),
                indexes: vec![
                    (ORDERS_BY_TIME, ("shard", Some(("order_id", S))), N),
                    (
                        ORDERS_BY_CUSTOMER,
                        ("customer_id", Some(("order_id", S))),
                        S,
                    ),
                ],
                expires: false,
            },
            Table {
                name: &self.journal,
                key: ("subject", Some(("entry", S))),
                indexes: vec![(EVENTS_BY_ID, ("shard", Some(("event_id", S))), N)],
                expires: false,
            },
            Table {
                name: &self.keys,
                key: ("scope", None),
                indexes: Vec::new(),
                expires: true,
            },
            Table {
                name: &self.outbox,
                key: ("order_id", Some(("consumer", S))),
                indexes: vec![(WAKES_BY_DUE, ("queue", Some(("due_at", N))), S)],
                expires: false,
            },
            Table {
                name: &self.records,
                key: ("kind", Some(("id", S))),
                indexes: Vec::new(),
                expires: true,
            },
        ]
    }

    /// The names of all.
    pub(super) fn names(&self) -> [&str; 5] {
        self.all().map(|table| table.name)
    }

    /// The first that cannot be used, and why.
    pub(super) async fn unsound(&self, client: &Client) -> Result<Vec<String>, OpenError> {
        let mut problems = Vec::new();
        for name in self.names() {
            match status(client, name).await? {
                Some(TableStatus::Active | TableStatus::Updating) => {}
                found => problems.push(format!("the table {name} is {found:?}")),
            }
        }
        Ok(problems)
    }

    /// Makes those that are missing, and waits until all can be used.
    pub(super) async fn make(&self, client: &Client) -> Result<(), OpenError> {
        for table in self.all() {
            match described(client, table.name).await? {
                Some(there) if !table.is_ours(&there) => return Err(foreign(table.name)),
                Some(_) => {}
                None => {
                    table.make(client).await?;
                    wait(client, table.name).await?;
                    if table.expires {
                        table.expire(client).await?;
                    }
                }
            }
        }
        for table in self.all() {
            wait(client, table.name).await?;
        }
        Ok(())
    }

    /// The first that is missing.
    pub(super) async fn missing(&self, client: &Client) -> Result<Option<&str>, OpenError> {
        for table in self.all() {
            if status(client, table.name).await?.is_none() {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }
}

impl Table<'_> {
    /// Whether the table of this name has our indexes.
    fn is_ours(&self, there: &TableDescription) -> bool {
        let there: Vec<_> = there
            .global_secondary_indexes()
            .iter()
            .filter_map(|index| index.index_name())
            .collect();
        self.indexes.iter().all(|(name, ..)| there.contains(name))
    }

    async fn make(&self, client: &Client) -> Result<(), OpenError> {
        let mut attributes = vec![(self.key.0, ScalarAttributeType::S)];
        attributes.extend(self.key.1.clone());
        for (_, (hash, range), kind) in &self.indexes {
            attributes.push((hash, kind.clone()));
            attributes.extend(range.clone());
        }
        attributes.sort_by_key(|(name, _)| *name);
        attributes.dedup_by_key(|(name, _)| *name);
        let mut create = client
            .create_table()
            .table_name(self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema(&self.key)?));
        for (name, kind) in attributes {
            let attribute = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind);
            create = create.attribute_definitions(attribute.build().map_err(incomplete)?);
        }
        for (name, key, _) in &self.indexes {
            let projection = Projection::builder().projection_type(ProjectionType::KeysOnly);
            let index = GlobalSecondaryIndex::builder()
                .index_name(*name)
                .set_key_schema(Some(schema(key)?))
                .projection(projection.build());
            create = create.global_secondary_indexes(index.build().map_err(incomplete)?);
        }
        let created = create.send().await;
        let was_faster = |error: &SdkError<CreateTableError, _>| {
            let error = error.as_service_error();
            error.is_some_and(CreateTableError::is_resource_in_use_exception)
        };
        match created {
            Ok(_) => Ok(()),
            // Another process made it.
            Err(error) if was_faster(&error) => Ok(()),
            Err(error) => Err(refusal(self.name, &error)),
        }
    }

    /// Has what has expired removed.
    async fn expire(&self, client: &Client) -> Result<(), OpenError> {
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(EXPIRES_AT)
            .build()
            .map_err(incomplete)?;
        client
            .update_time_to_live()
            .table_name(self.name)
            .time_to_live_specification(specification)
            .send()
            .await
            .map_err(|error| refusal(self.name, &error))?;
        Ok(())
    }
}

fn schema((hash, range): &Key) -> Result<Vec<KeySchemaElement>, OpenError> {
    let element = |name: &str, kind| {
        let element = KeySchemaElement::builder();
        let element = element.attribute_name(name).key_type(kind).build();
        element.map_err(incomplete)
    };
    let mut schema = vec![element(hash, KeyType::Hash)?];
    if let Some((name, _)) = range {
        schema.push(element(name, KeyType::Range)?);
    }
    Ok(schema)
}

/// Whether a table can be used, or is being made; `None` where it is not there.
async fn status(client: &Client, name: &str) -> Result<Option<TableStatus>, OpenError> {
    let table = described(client, name).await?;
    Ok(table.and_then(|table| table.table_status))
}

/// What is known of a table; `None` where it is not there.
async fn described(client: &Client, name: &str) -> Result<Option<TableDescription>, OpenError> {
    let described = client.describe_table().table_name(name).send().await;
    let is_missing = |error: &SdkError<DescribeTableError, _>| {
        let error = error.as_service_error();
        error.is_some_and(DescribeTableError::is_resource_not_found_exception)
    };
    match described {
        Ok(described) => Ok(described.table),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(refusal(name, &error)),
    }
}

async fn wait(client: &Client, name: &str) -> Result<(), OpenError> {
    for _ in 0..LOOKS_MAX {
        match status(client, name).await? {
            Some(TableStatus::Active | TableStatus::Updating) => return Ok(()),
            _ => sleep(LOOK_EVERY).await,
        }
    }
    Err(OpenError::Inaccessible(format!(
        "The DynamoDB table {name} is not ready.\nWhy: it is still being made, or removed.\n\
         Fix: wait until it is active, and start again."
    )))
}

/// The words for a table that another system has made.
fn foreign(name: &str) -> OpenError {
    OpenError::Url(format!(
        "Cannot use the DynamoDB table {name}.\n\
         Why: it is not one of orderd's; it lacks indexes that orderd's have.\n\
         Fix: choose another prefix, or another name with DYNAMODB_ORDERS_TABLE; to take over the \
         orders in it: orderd import dynamodb://{name}."
    ))
}

/// The words for tables that cannot be used.
pub(super) fn refusal(name: &str, error: &(dyn std::error::Error + 'static)) -> OpenError {
    OpenError::Inaccessible(format!(
        "Cannot use the DynamoDB table {name}.\nWhy: {}.\n\
         Fix: see that AWS_REGION is right, that there are credentials (AWS_PROFILE, \
         AWS_ACCESS_KEY_ID, or a role) and that they may use the table; AWS_ENDPOINT_URL names an \
         endpoint that is not AWS's.",
        words(error)
    ))
}

fn incomplete(error: impl std::error::Error) -> OpenError {
    OpenError::Damaged(format!("A table cannot be made: {error}."))
}

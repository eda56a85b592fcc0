//! The table of the older system that keeps its orders in DynamoDB, read whole, a page at a time.

use super::items::Item;
use crate::aws;
use crate::foreign::Foreign;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

/// The most orders of a page.
const PAGE: i32 = 500;

/// A table that is only read.
pub(crate) struct Reader {
    client: Client,
    table: String,
}

impl Reader {
    /// Looks whether it is one of the older system's.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) async fn open(table: &str) -> Result<Self, String> {
        let reader = Self {
            client: Client::new(&aws::config().await),
            table: table.to_owned(),
        };
        let first = reader.scan(None, 1).await?;
        let names = ["order_id", "customer_name", "product_name", "quantity"];
        if let Some(item) = first.first()
            && !names.iter().all(|name| item.contains_key(*name))
        {
            return Err("its items are not the orders of that system".to_owned());
        }
        Ok(reader)
    }

    /// How many orders there are, as of some hours ago.
    pub(crate) async fn count(&self) -> Result<u64, String> {
        let described = self.client.describe_table().table_name(&self.table);
        let described = described.send().await.map_err(|error| aws::words(&error))?;
        let count = described.table.and_then(|table| table.item_count);
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    /// The next orders after the one with this id, in the order of the table; none at the end.
    pub(crate) async fn orders(&self, after: Option<&str>) -> Result<Vec<Foreign>, String> {
        let items = self.scan(after, PAGE).await?;
        Ok(items.iter().map(foreign).collect())
    }

    async fn scan(&self, after: Option<&str>, limit: i32) -> Result<Vec<Item>, String> {
        let start = after.map(|id| {
            let id = AttributeValue::S(id.to_owned());
            Item::from([("order_id".to_owned(), id)])
        });
        let scan = self.client.scan().table_name(&self.table).limit(limit);
        let scan = scan.consistent_read(true).set_exclusive_start_key(start);
        let scanned = scan.send().await.map_err(|error| aws::words(&error))?;
        Ok(scanned.items.unwrap_or_default())
    }
}

fn foreign(item: &Item) -> Foreign {
    let text = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text.clone()),
        _ => None,
    };
    let quantity = text("quantity").and_then(|quantity| quantity.parse().ok());
    Foreign {
        id: text("order_id").unwrap_or_default(),
        customer_name: text("customer_name"),
        lines: vec![(
            text("product_name").unwrap_or_default(),
            quantity.unwrap_or_default(),
        )],
        status: text("status"),
        ..Foreign::default()
    }
}

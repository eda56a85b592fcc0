//! Removing all that belongs to orders, and all that belongs to an endpoint. Neither fits into a
//! transaction: one that was cut off is run again.

use super::Db;
use super::call::{again, failed, incomplete};
use super::items::{self, Item, Row, text};
use super::outbox;
use super::read::{all_of, id_text, stock_key};
use super::tables::SHARDS;
use crate::Error;
use crate::afterwards::Journal as _;
use crate::rows;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use domain::stock::Movement;
use domain::transfer::{Account, Asset, Subject, TransferKind};
use domain::{Consumer, EndpointId, EventId, ItemId, RecordKind, Timestamp, Transfer};
use std::hash::{BuildHasher as _, RandomState};

/// The most items that are removed by one call.
const REMOVED_MAX: usize = 25;

impl Db {
    /// Removes every order with all that was written for it; how many there were. Products, tokens,
    /// secrets and the stock on hand stay; what was held is held no more.
    pub(super) async fn reset(&self) -> Result<u64, Error> {
        let newest = self.newest_event().await?;
        let now = newest.map_or(Timestamp::EPOCH, EventId::minted_at);
        let tables = &self.tables;
        self.clear(&tables.outbox, &["order_id", "consumer"])
            .await?;
        self.clear(&tables.keys, &["scope"]).await?;
        self.clear(&tables.journal, &["subject", "entry"]).await?;
        for kind in self.kinds_of_orders().await? {
            let keys = self.partition(&kind).await?;
            self.remove(&tables.records, keys).await?;
        }
        self.let_go_of_stock(now).await?;
        self.clear(&tables.orders, &["order_id"]).await
    }

    /// Letters, and the log of each endpoint.
    async fn kinds_of_orders(&self) -> Result<Vec<String>, Error> {
        let mut kinds = vec![RecordKind::Letter.as_str().to_owned()];
        for (id, _) in self.endpoints().await? {
            kinds.extend(EndpointId::parse(&id).map(items::log_of));
        }
        Ok(kinds)
    }

    /// What is on hand has come with this reset, as far as the journal knows.
    async fn let_go_of_stock(&self, now: Timestamp) -> Result<(), Error> {
        let names = &["id", "on_hand", "reserved"];
        for item in self.partition("stock").await? {
            let item_id = ItemId::parse(&id_text(&item)?).ok_or_else(|| rows::corrupt("item"))?;
            let stored = self.get(&self.tables.records, stock_key(&item_id)).await?;
            let Some(stored) = stored else {
                continue;
            };
            let row = Row {
                item: &stored,
                names,
            };
            let on_hand: i64 = rows::number(&row, 1, "on_hand")?;
            let reserved: i64 = rows::number(&row, 2, "reserved")?;
            let movement = Movement {
                item_id: item_id.clone(),
                on_hand: 0,
                reserved: -reserved,
                was: None,
            };
            self.move_stock(&movement).update(&self.client).await?;
            if on_hand > 0 {
                let random = RandomState::new();
                let [first, second] = [1, 2].map(|half| random.hash_one((&item_id, half)));
                let transfer = Transfer {
                    subject: Subject::Adjustment(domain::id::from_halves(first, second)),
                    number: 1,
                    kind: TransferKind::Transfer,
                    asset: Asset::Item(item_id),
                    debit: Account::Supply,
                    credit: Account::Stock,
                    amount: on_hand.unsigned_abs(),
                    reason: Some("what was there at a reset".into()),
                    occurred_at: now,
                };
                let put = self.client.put_item().table_name(&self.tables.journal);
                let put = put.set_item(Some(items::transfer(&transfer)));
                again(|| put.clone().send()).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Nobody is woken for an endpoint any more, and its log goes as well.
    pub(super) async fn forget(&self, endpoint_id: EndpointId) -> Result<(), Error> {
        for shard in 0..SHARDS {
            let queued = self.queued(Consumer::Announce(endpoint_id), shard);
            let keys = all_of(queued, usize::MAX).await?;
            let keys = keys.into_iter().map(|item| key_in(item, &outbox::KEY));
            self.remove(&self.tables.outbox, keys.collect()).await?;
        }
        let log = self.partition(&items::log_of(endpoint_id)).await?;
        self.remove(&self.tables.records, log).await
    }

    /// The keys of all records of a kind.
    pub(super) async fn partition(&self, kind: &str) -> Result<Vec<Item>, Error> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.records)
            .key_condition_expression("#kind = :kind")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":kind", text(kind))
            .projection_expression("#kind, #id")
            .consistent_read(true);
        all_of(query, usize::MAX).await
    }

    /// Removes all items of a table; how many there were.
    async fn clear(&self, table: &str, key: &[&str]) -> Result<u64, Error> {
        let (mut count, mut start) = (0, None);
        loop {
            let page = self.scan(table, start.take()).await?;
            let keys: Vec<Item> = page.0.into_iter().map(|item| key_in(item, key)).collect();
            count += keys.len() as u64;
            self.remove(table, keys).await?;
            start = page.1;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    async fn remove(&self, table: &str, keys: Vec<Item>) -> Result<(), Error> {
        for keys in keys.chunks(REMOVED_MAX) {
            let request = |key: &Item| {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build();
                let request = WriteRequest::builder();
                Ok(request.delete_request(delete.map_err(incomplete)?).build())
            };
            let mut left: Vec<WriteRequest> =
                keys.iter().map(request).collect::<Result<_, Error>>()?;
            while !left.is_empty() {
                let remove = self.client.batch_write_item().request_items(table, left);
                let removed = again(|| remove.clone().send()).await;
                let mut rest = removed.map_err(failed)?.unprocessed_items;
                left = rest
                    .as_mut()
                    .and_then(|rest| rest.remove(table))
                    .unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Shows `see` every item of a table.
    pub(super) async fn each(
        &self,
        table: &str,
        mut see: impl FnMut(&Item) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut start = None;
        loop {
            let (items, next) = self.scan(table, start.take()).await?;
            items.iter().try_for_each(&mut see)?;
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Some items of a table, and where to go on.
    pub(super) async fn scan(
        &self,
        table: &str,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let scan = self.client.scan().table_name(table).consistent_read(true);
        let scan = scan.set_exclusive_start_key(start);
        let page = again(|| scan.clone().send()).await;
        let page = page.map_err(failed)?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }
}

fn key_in(mut item: Item, key: &[&str]) -> Item {
    item.retain(|name, _| key.contains(&name.as_str()));
    item
}

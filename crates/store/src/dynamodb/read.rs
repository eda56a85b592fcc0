//! Reading: single items as they are now, lists by indexes that follow a moment later.

use super::Db;
use super::call::{again, failed, incomplete};
use super::items::{DELIVERY, EVENT, Item, KEY, ORDER, Row, TRANSFER, log_of, number, scope, text};
use super::tables::{EVENTS_BY_ID, ORDERS_BY_CUSTOMER, ORDERS_BY_TIME, SHARDS};
use crate::rows::{self, Columns, boxed, corrupt, parsed};
use crate::server::pages::whole_order;
use crate::write_sets::ENDPOINTS_MAX;
use crate::{
    DeliveryQuery, Error, EventQuery, LetterQuery, OrderQuery, Page, RecordPage, RecordQuery,
};
use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::idempotency::{Scope, Seen};
use domain::letter::LetterState;
use domain::{
    Delivery, DeliveryId, EndpointId, Event, EventId, ItemId, Letter, Order, OrderId, Record,
    RecordId, RecordKind, Stock, Transfer,
};
use futures_util::future::try_join_all;
use std::collections::HashMap;
use uuid::Uuid;

/// The most items that are read by their keys in one call.
const KEYS_MAX: usize = 100;
/// What is read: a partition, a range of what sorts it, and in which direction.
#[derive(Clone)]
struct Range {
    table: String,
    index: Option<&'static str>,
    /// The attribute that chooses the partition, and its value.
    partition: (&'static str, AttributeValue),
    /// The attribute that sorts, and the values that it lies between, both included.
    sorted: (&'static str, AttributeValue, AttributeValue),
    forward: bool,
}

impl Db {
    /// An item as it is now.
    pub(super) async fn get(&self, table: &str, key: Item) -> Result<Option<Item>, Error> {
        let get = self.client.get_item().table_name(table);
        let get = get.set_key(Some(key)).consistent_read(true);
        let got = again(|| get.clone().send()).await;
        Ok(got.map_err(failed)?.item)
    }

    /// Items as they are now, in no order; those that are not there are left out.
    pub(super) async fn get_all(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_MAX) {
            let mut wanted = Some(keys.to_vec());
            while let Some(keys) = wanted.take() {
                let keys = KeysAndAttributes::builder()
                    .set_keys(Some(keys))
                    .consistent_read(true)
                    .build()
                    .map_err(incomplete)?;
                let get = self.client.batch_get_item().request_items(table, keys);
                let got = again(|| get.clone().send()).await;
                let mut got = got.map_err(failed)?;
                let responses = got.responses.as_mut();
                found.extend(
                    responses
                        .and_then(|it| it.remove(table))
                        .unwrap_or_default(),
                );
                let rest = got.unprocessed_keys.unwrap_or_default().remove(table);
                wanted = rest.map(|rest| rest.keys);
            }
        }
        Ok(found)
    }

    /// So many items of a range. Single partitions of a table are read as they are now.
    async fn range(&self, range: &Range, limit: usize) -> Result<Vec<Item>, Error> {
        let (partition, is) = &range.partition;
        let (sorted, least, most) = &range.sorted;
        let query = self
            .client
            .query()
            .table_name(&range.table)
            .set_index_name(range.index.map(ToOwned::to_owned))
            .consistent_read(range.index.is_none())
            .key_condition_expression("#p = :p and #s between :least and :most")
            .expression_attribute_names("#p", *partition)
            .expression_attribute_names("#s", *sorted)
            .expression_attribute_values(":p", is.clone())
            .expression_attribute_values(":least", least.clone())
            .expression_attribute_values(":most", most.clone())
            .scan_index_forward(range.forward);
        all_of(query, limit).await
    }

    /// So many items of all partitions of an index that is spread, in the order of `sorted`.
    async fn spread(&self, range: Range, limit: usize) -> Result<Vec<Item>, Error> {
        let of = |shard| Range {
            partition: ("shard", number(shard)),
            ..range.clone()
        };
        let ranges: Vec<Range> = (0..SHARDS).map(of).collect();
        let parts = try_join_all(ranges.iter().map(|range| self.range(range, limit))).await?;
        let mut items: Vec<Item> = parts.into_iter().flatten().collect();
        let by = |item: &Item| {
            item.get(range.sorted.0)
                .and_then(|it| it.as_s().ok())
                .cloned()
        };
        items.sort_by_cached_key(by);
        if !range.forward {
            items.reverse();
        }
        items.truncate(limit);
        Ok(items)
    }

    /// The order with this id, as of now.
    pub(super) async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        let key = order_key(id);
        let found = self.get(&self.tables.orders, key).await?;
        found.as_ref().map(order_of).transpose()
    }

    /// What is remembered under a key.
    pub(super) async fn seen(&self, asked: &Scope) -> Result<Option<Seen>, Error> {
        let key = key_of("scope", scope(asked));
        let Some(item) = self.get(&self.tables.keys, key).await? else {
            return Ok(None);
        };
        let row = Row {
            item: &item,
            names: &KEY,
        };
        let order = match parsed(&row, 6, OrderId::parse, "order_id")? {
            Some(id) => self.order(id).await?,
            None => None,
        };
        rows::seen(&row, 0, order).map(Some)
    }

    /// A page of orders, newest first; hidden ones are left out.
    pub(super) async fn orders(&self, query: &OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        let most = query.before.map_or(Uuid::max(), OrderId::as_uuid);
        let least = query.from.map_or(Uuid::nil(), OrderId::as_uuid);
        if most < least {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        let sorted = ("order_id", text(least.to_string()), text(most.to_string()));
        // The range includes where it begins, and one more says that there is a next page.
        let limit = query.limit + 2;
        let table = &self.tables.orders;
        let range = Range {
            table: table.clone(),
            index: Some(ORDERS_BY_TIME),
            partition: any_shard(),
            sorted,
            forward: false,
        };
        let found = match &query.customer_id {
            None => self.spread(range, limit).await?,
            Some(customer_id) => {
                let of_customer = Range {
                    index: Some(ORDERS_BY_CUSTOMER),
                    partition: ("customer_id", text(customer_id.as_str())),
                    ..range
                };
                self.range(&of_customer, limit).await?
            }
        };
        let mut ids: Vec<OrderId> = found.iter().map(id_of).collect::<Result<_, _>>()?;
        ids.retain(|id| Some(*id) != query.before);
        let more = ids.len() > query.limit;
        ids.truncate(query.limit);
        let next = ids.last().copied().filter(|_| more);
        let keys = ids.iter().map(|id| order_key(*id));
        let items = self.get_all(table, keys.collect()).await?;
        let orders = items.iter().map(order_of).collect::<Result<Vec<_>, _>>()?;
        let mut items: Vec<Order> = orders
            .into_iter()
            .filter(|order| order.hidden_at.is_none())
            .filter(|order| query.status.is_none_or(|status| order.status == status))
            .collect();
        items.sort_by_key(|order| std::cmp::Reverse(order.id));
        Ok(Page { items, next })
    }

    /// What was recorded of a subject: the entries of its journal that begin with `prefix`.
    pub(super) async fn journal(&self, subject: Uuid, prefix: &str) -> Result<Vec<Item>, Error> {
        let range = Range {
            table: self.tables.journal.clone(),
            index: None,
            partition: ("subject", text(subject.to_string())),
            sorted: ("entry", text(prefix), text(format!("{prefix}~"))),
            forward: true,
        };
        self.range(&range, usize::MAX).await
    }

    /// The events of an order, in their sequence.
    pub(super) async fn events(&self, order_id: OrderId) -> Result<Vec<Event>, Error> {
        let items = self.journal(order_id.as_uuid(), "event#").await?;
        items.iter().map(event_of).collect()
    }

    /// The transfers of an order, in the order of their numbers.
    pub(super) async fn transfers(&self, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        let items = self.journal(order_id.as_uuid(), "transfer#").await?;
        let transfer = |item: &Item| {
            rows::transfer(
                &Row {
                    item,
                    names: &TRANSFER,
                },
                order_id,
            )
        };
        items.iter().map(transfer).collect()
    }

    /// A page of the log of an endpoint, the newest try first.
    pub(super) async fn deliveries(
        &self,
        query: &DeliveryQuery,
    ) -> Result<Page<Delivery, DeliveryId>, Error> {
        let (mut items, mut before) = (Vec::new(), query.before);
        loop {
            let mut found = self.tried(query, before).await?;
            let is_last = found.len() < query.limit;
            before = found.last().map(|last| last.id);
            found.retain(|delivery| !query.succeeded || delivery.succeeded());
            items.extend(found);
            if is_last || items.len() >= query.limit {
                let more = !is_last || items.len() > query.limit;
                items.truncate(query.limit);
                let next = items.last().map(|last: &Delivery| last.id);
                let next = next.filter(|_| more);
                return Ok(Page { items, next });
            }
        }
    }

    async fn tried(
        &self,
        query: &DeliveryQuery,
        before: Option<DeliveryId>,
    ) -> Result<Vec<Delivery>, Error> {
        let most = before.map_or(Uuid::max(), DeliveryId::as_uuid);
        let range = Range {
            table: self.tables.records.clone(),
            index: None,
            partition: ("kind", text(log_of(query.endpoint_id))),
            sorted: ("id", text(Uuid::nil().to_string()), text(most.to_string())),
            forward: false,
        };
        // The range includes where it begins.
        let found = self.range(&range, query.limit + 1).await?;
        let tries = found
            .iter()
            .map(|item| delivery_of(item, query.endpoint_id));
        let mut tries: Vec<Delivery> = tries.collect::<Result<_, _>>()?;
        tries.retain(|delivery| Some(delivery.id) != before);
        tries.truncate(query.limit);
        Ok(tries)
    }

    /// The stock of these items, in the same order.
    pub(super) async fn stock(&self, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        let keys: Vec<Item> = items.iter().map(stock_key).collect();
        let found = self
            .get_all(&self.tables.records, deduplicated(keys))
            .await?;
        let names = &["id", "on_hand", "reserved"];
        let rows: Vec<Row<'_>> = found.iter().map(|item| Row { item, names }).collect();
        crate::server::pages::stock(&rows, items)
    }

    /// The records with these ids, in the same order.
    pub(super) async fn records(&self, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        let keys: Vec<Item> = ids.iter().map(record_key).collect();
        let found = self
            .get_all(&self.tables.records, deduplicated(keys.clone()))
            .await?;
        let mut by_name = HashMap::new();
        for item in &found {
            by_name.insert(name_of(item), record_of(item)?);
        }
        Ok(keys
            .iter()
            .map(|key| by_name.get(&name_of(key)).cloned())
            .collect())
    }

    /// A page of records of one kind, by their ids.
    pub(super) async fn list(&self, query: &RecordQuery) -> Result<RecordPage, Error> {
        let range = Range {
            table: self.tables.records.clone(),
            index: None,
            partition: ("kind", text(query.kind.as_str())),
            sorted: (
                "id",
                text(query.after.as_deref().unwrap_or(FIRST)),
                text(LAST.to_string()),
            ),
            forward: true,
        };
        let found = self.range(&range, query.limit + 2).await?;
        let named = |item: &Item| Ok((id_text(item)?, record_of(item)?));
        let mut items: Vec<(Box<str>, Record)> =
            found.iter().map(named).collect::<Result<_, Error>>()?;
        items.retain(|(id, _)| Some(id) != query.after.as_ref());
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        let next = items.last().map(|(id, _)| id.clone()).filter(|_| more);
        Ok(RecordPage { items, next })
    }

    /// A page of the dead letters that wait for an operator, by their ids. No index says which do,
    /// so letters in every state are read, and a page may hold fewer than asked for.
    pub(super) async fn waiting_letters(&self, query: &LetterQuery) -> Result<RecordPage, Error> {
        let all = RecordQuery {
            kind: RecordKind::Letter,
            after: query.after.clone(),
            limit: query.limit.max(LETTERS_READ),
        };
        let Page { mut items, next } = self.list(&all).await?;
        items.retain(|(_, record)| {
            Letter::read(&record.body).is_some_and(|it| it.state == LetterState::Waiting)
        });
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        let last = items.last().map(|(id, _)| id.clone());
        let next = if more { last } else { next };
        Ok(RecordPage { items, next })
    }

    /// The ids and bodies of every endpoint.
    pub(super) async fn endpoints(&self) -> Result<Vec<(Box<str>, Record)>, Error> {
        let query = RecordQuery {
            kind: RecordKind::Endpoint,
            after: None,
            limit: usize::try_from(ENDPOINTS_MAX).unwrap_or(1),
        };
        Ok(self.list(&query).await?.items)
    }
}

#[async_trait]
impl crate::afterwards::Journal for Db {
    async fn newest_event(&self) -> Result<Option<EventId>, Error> {
        let newest = self.events_between(Uuid::nil(), false, 1).await?;
        Ok(newest.first().map(|event| event.id))
    }

    async fn events_after(&self, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        let limit = query.limit + 1;
        let mut items = self
            .events_between(query.after.as_uuid(), true, limit)
            .await?;
        items.retain(|event| event.id != query.after);
        items.truncate(query.limit);
        let next = items.last().map(|event| event.id);
        let next = next.filter(|_| items.len() == query.limit);
        Ok(Page { items, next })
    }
}

impl Db {
    /// So many events of all orders, from this id on.
    async fn events_between(
        &self,
        least: Uuid,
        forward: bool,
        limit: usize,
    ) -> Result<Vec<Event>, Error> {
        let table = &self.tables.journal;
        let most = text(Uuid::max().to_string());
        let range = Range {
            table: table.clone(),
            index: Some(EVENTS_BY_ID),
            partition: any_shard(),
            sorted: ("event_id", text(least.to_string()), most),
            forward,
        };
        let keys = self.spread(range, limit).await?;
        let keys = keys.into_iter().map(|mut key| {
            key.retain(|name, _| name == "subject" || name == "entry");
            key
        });
        let items = self.get_all(table, keys.collect()).await?;
        let mut events: Vec<Event> = items.iter().map(event_of).collect::<Result<_, _>>()?;
        events.sort_by_key(|event| event.id);
        Ok(events)
    }
}

/// So many items of a query, from as many pages as it takes.
pub(super) async fn all_of(query: QueryFluentBuilder, limit: usize) -> Result<Vec<Item>, Error> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let most = i32::try_from(limit - items.len()).unwrap_or(i32::MAX);
        let page = query.clone().limit(most);
        let page = page.set_exclusive_start_key(start.take());
        let page = again(|| page.clone().send()).await;
        let page = page.map_err(failed)?;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key;
        if start.is_none() || items.len() >= limit {
            return Ok(items);
        }
    }
}

/// How many letters are read at once to find those that wait.
const LETTERS_READ: usize = 1_000;
/// What sorts before every id of a record, and after.
const FIRST: &str = " ";
const LAST: char = char::MAX;

/// A partition of an index that is spread; all of them are read.
fn any_shard() -> (&'static str, AttributeValue) {
    ("shard", number(0))
}

/// The key of an item that is alone in its partition.
pub(super) fn key_of(name: &str, value: AttributeValue) -> Item {
    HashMap::from([(name.to_owned(), value)])
}

/// The key of an order.
pub(super) fn order_key(id: OrderId) -> Item {
    key_of("order_id", text(id.to_string()))
}

/// The key of a record.
pub(super) fn record_key(id: &RecordId) -> Item {
    named_key(id.kind.as_str(), &id.id)
}

/// The key of an item's stock.
pub(super) fn stock_key(item_id: &ItemId) -> Item {
    named_key("stock", item_id.as_str())
}

fn named_key(kind: &str, id: &str) -> Item {
    HashMap::from([("kind".to_owned(), text(kind)), ("id".to_owned(), text(id))])
}

/// Each key once: the service refuses to be asked twice for one.
fn deduplicated(mut keys: Vec<Item>) -> Vec<Item> {
    keys.sort_by(|one, other| name_of(one).cmp(&name_of(other)));
    keys.dedup();
    keys
}

/// The kind and the id of a record.
fn name_of(item: &Item) -> [Option<&String>; 2] {
    ["kind", "id"].map(|name| item.get(name).and_then(|it| it.as_s().ok()))
}

/// An order of its item.
pub(super) fn order_of(item: &Item) -> Result<Order, Error> {
    whole_order(&Row {
        item,
        names: &ORDER,
    })
}

/// An event of its item.
pub(super) fn event_of(item: &Item) -> Result<Event, Error> {
    let row = Row {
        item,
        names: &EVENT,
    };
    rows::event(&row, OrderId::new(row.id(6)?))
}

/// The id of an order, of its item or its key.
pub(super) fn id_of(item: &Item) -> Result<OrderId, Error> {
    let row = Row {
        item,
        names: &ORDER,
    };
    Ok(OrderId::new(row.id(0)?))
}

pub(super) fn id_text(item: &Item) -> Result<Box<str>, Error> {
    let row = Row {
        item,
        names: &["id"],
    };
    boxed(&row, 0)?.ok_or_else(|| corrupt("id"))
}

pub(super) fn record_of(item: &Item) -> Result<Record, Error> {
    let row = Row {
        item,
        names: &["version", "body"],
    };
    Ok(Record {
        version: rows::number(&row, 0, "version")?,
        body: row.bytes(1)?.ok_or_else(|| corrupt("body"))?.into(),
    })
}

fn delivery_of(item: &Item, endpoint_id: EndpointId) -> Result<Delivery, Error> {
    let row = Row {
        item,
        names: &DELIVERY,
    };
    Ok(Delivery {
        id: DeliveryId::new(row.id(0)?),
        endpoint_id,
        event_id: EventId::new(row.id(1)?),
        kind: rows::event_kind(&row, 2)?,
        order_id: OrderId::new(row.id(3)?),
        number: rows::number(&row, 4, "number")?,
        status: rows::optional(&row, 5, "status")?,
        error: boxed(&row, 6)?,
        duration_ms: rows::number(&row, 7, "duration")?,
    })
}

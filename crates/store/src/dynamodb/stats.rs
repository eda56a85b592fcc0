//! Figures about what is kept. Each call is paid for, so none reads more than one page.

use super::call::{again, failed};
use super::items::text;
use super::read::record_of;
use super::tables::{SHARDS, WAKES_BY_DUE};
use super::{Db, open, queue};
use crate::afterwards::Journal;
use crate::{Error, Stats, WAITING_MAX, Waiting};
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use domain::letter::LetterState;
use domain::{Consumer, Endpoint, EndpointId, Letter, RecordKind, Timestamp};
use futures_util::future::try_join_all;

/// The most wakes of a partition that are counted.
const COUNTED_MAX: i32 = 10_000;
/// The most dead letters that are looked at to count those that wait: what is read is paid for.
const LETTERS_COUNTED_MAX: i32 = 1_000;

impl Db {
    /// Figures about what is kept.
    pub(super) async fn stats(&self, location: &str) -> Result<Stats, Error> {
        let endpoints = self.endpoints().await?;
        let told = endpoints.iter().filter_map(|(id, record)| {
            Some((EndpointId::parse(id)?, Endpoint::read(&record.body)?))
        });
        let all = told.map(|(id, it)| (Consumer::Announce(id), it.disabled.is_none()));
        let announce: Vec<_> = all.collect();
        let mut size_bytes = 0;
        for table in self.tables.names() {
            let described = self.client.describe_table().table_name(table);
            let described = again(|| described.clone().send()).await;
            let table = described.map_err(failed)?.table;
            let bytes = table.and_then(|table| table.table_size_bytes).unwrap_or(0);
            size_bytes += bytes.unsigned_abs();
        }
        Ok(Stats {
            location: location.to_owned(),
            schema_version: open::VERSION,
            newest_event: self.newest_event().await?,
            fulfil: self.waits(&[(Consumer::Fulfil, true)]).await?,
            announce: self.waits(&announce).await?,
            dead_letter_count: self.letters_waiting().await?,
            size_bytes,
        })
    }

    /// What waits for these consumers, each with whether somebody works on it.
    async fn waits(&self, consumers: &[(Consumer, bool)]) -> Result<Waiting, Error> {
        let shards = consumers.iter().flat_map(|consumer| {
            (0..SHARDS).map(move |shard| async move {
                let count = self.count(queue(consumer.0, shard)).await?;
                let oldest = if count > 0 && consumer.1 {
                    self.waiting(consumer.0, 0, shard).await?
                } else {
                    Vec::new()
                };
                Ok::<_, Error>((count, oldest.first().map(|(due_at, _)| *due_at)))
            })
        });
        let shards = try_join_all(shards).await?;
        let count: u64 = shards.iter().map(|(count, _)| count).sum();
        let oldest = shards.iter().filter_map(|(_, due_at)| *due_at).min();
        Ok(Waiting {
            count: count.min(WAITING_MAX.into()),
            oldest_due_at: oldest.map(Timestamp::from_millis),
        })
    }

    /// How many dead letters wait for an operator, of those that one call reads.
    async fn letters_waiting(&self) -> Result<u64, Error> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.records)
            .key_condition_expression("kind = :k")
            .expression_attribute_values(":k", text(RecordKind::Letter.as_str()))
            .scan_index_forward(false)
            .limit(LETTERS_COUNTED_MAX);
        let letters = again(|| query.clone().send()).await.map_err(failed)?;
        let mut count = 0;
        for item in letters.items() {
            let letter = Letter::read(&record_of(item)?.body);
            count += u64::from(letter.is_some_and(|it| it.state == LetterState::Waiting));
        }
        Ok(count)
    }

    async fn count(&self, queue: AttributeValue) -> Result<u64, Error> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.outbox)
            .index_name(WAKES_BY_DUE)
            .key_condition_expression("queue = :q")
            .expression_attribute_values(":q", queue)
            .select(Select::Count)
            .limit(COUNTED_MAX);
        let counted = again(|| query.clone().send()).await;
        Ok(counted.map_err(failed)?.count.unsigned_abs().into())
    }
}

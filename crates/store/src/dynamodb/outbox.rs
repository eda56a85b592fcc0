//! The outbox: who is to be woken, when, and who has it until then. A wake is an item, which is
//! leased by itself.

use super::action::{Action, NewKey, Write};
use super::items::{self, Item, Row, item, number, text, time};
use super::read::{all_of, order_key};
use super::tables::{SHARDS, WAKES_BY_DUE};
use super::{Db, queue};
use crate::rows::{Columns, corrupt, number as whole};
use crate::write_sets::{Subscriber, Told, Whom, tell};
use crate::{Error, LeaseClaim, Leased, Which};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Change, Consumer, Delayed, Lease, OrderId, Timestamp, Wake, WriteSet};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// The attributes that are the key of a wake.
pub(super) const KEY: [&str; 2] = ["order_id", "consumer"];
/// The attributes of a wake.
const WAKE: [&str; 7] = [
    "order_id", "since", "head", "due_at", "attempt", "received", "tries",
];

/// Who is told of what by the events of a write set.
pub(super) fn told(write_set: &WriteSet, subscribers: &[Subscriber]) -> Vec<(Whom, Told)> {
    let mut told = BTreeMap::new();
    for change in &write_set.changes {
        if let Change::Event(event) = change {
            tell(&mut told, event, subscribers);
        }
    }
    told.into_iter().collect()
}

/// A lease that counts as received, and one that does not.
const COUNTED: &str = "set #due_at = :until add #attempt :one, #received :one";
const PASSED_ON: &str = "set #due_at = :until add #attempt :one";

/// A condition, and the values in it.
type Guard = (&'static str, Vec<(&'static str, AttributeValue)>);

impl Db {
    /// What is to be told already, or waits for its next try, goes on as it would. Events of an order
    /// come in their sequence, so the head only grows.
    pub(super) fn tell(&self, ((endpoint_id, order_id), told): &(Whom, Told)) -> Action {
        let consumer = Consumer::Announce(*endpoint_id);
        let tell = "set #head = :head, #since = if_not_exists(#since, :since), \
                    #due_at = if_not_exists(#due_at, :due_at), \
                    #queue = if_not_exists(#queue, :queue), \
                    #attempt = if_not_exists(#attempt, :zero), \
                    #received = if_not_exists(#received, :zero), \
                    #tries = if_not_exists(#tries, :zero)";
        Action {
            table: self.tables.outbox.clone(),
            write: Write::Update(wake_key(consumer, *order_id), tell),
            condition: None,
            values: vec![
                (":head", number(told.head)),
                (":since", number(told.since)),
                (":due_at", time(told.due_at)),
                (":queue", queue_of(consumer, *order_id)),
                (":zero", number(0)),
            ],
        }
    }

    /// The wake of this consumer that is there.
    pub(super) async fn woken(&self, wake: &Wake) -> Result<Option<Item>, Error> {
        let key = wake_key(wake.consumer, wake.subject);
        self.get(&self.tables.outbox, key).await
    }

    /// Wakes somebody, or more and earlier than was to be.
    pub(super) fn wake(&self, wake: &Wake, woken: Option<Item>) -> Result<Action, Error> {
        let table = &self.tables.outbox;
        let Some(mut merged) = woken else {
            let first = item([
                ("order_id", Some(text(wake.subject.to_string()))),
                ("consumer", Some(text(items::consumer(wake.consumer)))),
                ("queue", Some(queue_of(wake.consumer, wake.subject))),
                ("since", Some(number(wake.since))),
                ("head", Some(number(wake.head))),
                ("due_at", Some(time(wake.due_at))),
                ("attempt", Some(number(0))),
                ("received", Some(number(0))),
                ("tries", Some(number(0))),
            ]);
            return Ok(Action::new(table, first, NewKey::OrderId));
        };
        let unchanged = |name: &str| merged.get(name).cloned().ok_or_else(|| corrupt("wake"));
        let values = vec![
            (":since", unchanged("since")?),
            (":head", unchanged("head")?),
            (":due_at", unchanged("due_at")?),
            (":attempt", unchanged("attempt")?),
            (":tries", unchanged("tries")?),
        ];
        let row = Row {
            item: &merged,
            names: &WAKE,
        };
        let since: u32 = whole(&row, 1, "since")?;
        let head: u32 = whole(&row, 2, "head")?;
        let due_at: i64 = whole(&row, 3, "due_at")?;
        let earliest = due_at.min(wake.due_at.as_millis());
        merged.insert("since".to_owned(), number(since.min(wake.since)));
        merged.insert("head".to_owned(), number(head.max(wake.head)));
        merged.insert("due_at".to_owned(), number(earliest));
        Ok(Action {
            table: table.clone(),
            write: Write::Put(merged),
            condition: Some(
                "#since = :since and #head = :head and #due_at = :due_at \
                 and #attempt = :attempt and #tries = :tries",
            ),
            values,
        })
    }

    /// What was leased is done.
    pub(super) fn settle(&self, lease: &Lease) -> Action {
        Action {
            table: self.tables.outbox.clone(),
            write: Write::Delete(wake_key(lease.consumer, lease.subject)),
            condition: Some("#attempt = :attempt and #received > :zero and #head = :head"),
            values: vec![
                (":attempt", number(lease.attempt)),
                (":zero", number(0)),
                (":head", number(lease.head)),
            ],
        }
    }

    /// What was leased is to be leased again then.
    pub(super) fn delay(&self, lease: &Lease, due_at: Timestamp, how: &Delayed) -> Action {
        let mut values = vec![
            (":attempt", number(lease.attempt)),
            (":due_at", time(due_at)),
            (":zero", number(0)),
        ];
        if let Some(times) = how.received() {
            values.extend([
                (":received", number(times)),
                (":since", number(lease.since)),
                (":tries", number(lease.tries)),
            ]);
        }
        values.extend(how.error().map(|error| (":error", text(error))));
        let delay = match how {
            Delayed::Kept => "set #due_at = :due_at",
            Delayed::GoneOn | Delayed::GivenBack(None) => {
                "set #due_at = :due_at, #received = :received, #since = :since, #tries = :tries \
                 remove #last_error"
            }
            Delayed::GivenBack(Some(_)) => {
                "set #due_at = :due_at, #received = :received, #since = :since, #tries = :tries, \
                 #last_error = :error"
            }
        };
        Action {
            table: self.tables.outbox.clone(),
            write: Write::Update(wake_key(lease.consumer, lease.subject), delay),
            condition: Some("#attempt = :attempt and #received > :zero"),
            values,
        }
    }

    /// Leases what is claimed.
    pub(super) async fn lease(&self, claim: &LeaseClaim) -> Result<Leased, Error> {
        match claim.which {
            Which::Due(max) | Which::DueToPassOn(max) => self.lease_due(claim, max).await,
            Which::Of(subject) => self.lease_of(claim, subject).await,
        }
    }

    /// Leases what is due, each by itself: who comes second does not get it.
    async fn lease_due(&self, claim: &LeaseClaim, max: usize) -> Result<Leased, Error> {
        let queues = (0..SHARDS).map(|shard| self.waiting(claim.consumer, max, shard));
        let mut waiting: Vec<(i64, Item)> =
            try_join_all(queues).await?.into_iter().flatten().collect();
        waiting.sort_by_key(|(due_at, _)| *due_at);
        let now = claim.now.as_millis();
        let count = waiting.iter().take_while(|(due_at, _)| *due_at <= now);
        let count = count.take(max).count();
        let later = waiting.split_off(count);
        let leases = waiting
            .iter()
            .map(|(due_at, key)| self.lease_due_at(claim, *due_at, key));
        let entries = try_join_all(leases).await?;
        Ok(Leased {
            entries: entries.into_iter().flatten().collect(),
            next_due: later
                .first()
                .map(|(due_at, _)| Timestamp::from_millis(*due_at)),
        })
    }

    /// The keys of wakes of a partition with when they are due, the longest due first.
    pub(super) async fn waiting(
        &self,
        consumer: Consumer,
        max: usize,
        shard: u8,
    ) -> Result<Vec<(i64, Item)>, Error> {
        // One more, which says when the next is due.
        let found = all_of(self.queued(consumer, shard), max + 1).await?;
        let due = |item: Item| {
            let row = Row {
                item: &item,
                names: &WAKE,
            };
            Ok((whole(&row, 3, "due_at")?, item))
        };
        found.into_iter().map(due).collect()
    }

    /// Asks for the keys of wakes of a partition, the longest due first.
    pub(super) fn queued(&self, consumer: Consumer, shard: u8) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.tables.outbox)
            .index_name(WAKES_BY_DUE)
            .key_condition_expression("#queue = :queue")
            .expression_attribute_names("#queue", "queue")
            .expression_attribute_values(":queue", queue(consumer, shard))
    }

    async fn lease_due_at(
        &self,
        claim: &LeaseClaim,
        due_at: i64,
        key: &Item,
    ) -> Result<Option<Lease>, Error> {
        let row = Row {
            item: key,
            names: &WAKE,
        };
        let subject = OrderId::new(row.id(0)?);
        // An index follows a moment later; what it says is due may be another's by now.
        let mut values = vec![(":due_at", number(due_at))];
        if let Which::Due(_) = claim.which {
            let is_due = ("#due_at = :due_at", values);
            return self.lease_if(claim, subject, COUNTED, is_due).await;
        }
        // It was received once at the least.
        values.push((":zero", number(0)));
        let first = "#due_at = :due_at and #received = :zero";
        let leased = self.lease_if(claim, subject, COUNTED, (first, values.clone()));
        if let Some(lease) = leased.await? {
            return Ok(Some(lease));
        }
        let again = "#due_at = :due_at and #received > :zero";
        self.lease_if(claim, subject, PASSED_ON, (again, values))
            .await
    }

    async fn lease_of(&self, claim: &LeaseClaim, subject: OrderId) -> Result<Leased, Error> {
        let condition = "#due_at <= :now or #received > :zero \
                         or (attribute_exists(#due_at) and attribute_not_exists(#last_error))";
        let values = vec![(":now", time(claim.now)), (":zero", number(0))];
        let lease = self
            .lease_if(claim, subject, COUNTED, (condition, values))
            .await?;
        Ok(Leased {
            entries: lease.into_iter().collect(),
            next_due: None,
        })
    }

    async fn lease_if(
        &self,
        claim: &LeaseClaim,
        subject: OrderId,
        lease: &'static str,
        (condition, mut values): Guard,
    ) -> Result<Option<Lease>, Error> {
        values.extend([(":until", time(claim.until)), (":one", number(1))]);
        let action = Action {
            table: self.tables.outbox.clone(),
            write: Write::Update(wake_key(claim.consumer, subject), lease),
            condition: Some(condition),
            values,
        };
        let Some(item) = action.update(&self.client).await? else {
            return Ok(None);
        };
        let row = Row {
            item: &item,
            names: &WAKE,
        };
        Ok(Some(Lease {
            consumer: claim.consumer,
            subject,
            since: whole(&row, 1, "since")?,
            head: whole(&row, 2, "head")?,
            attempt: whole(&row, 4, "attempt")?,
            received: whole(&row, 5, "received")?,
            tries: whole(&row, 6, "tries")?,
        }))
    }
}

/// The key of a wake.
pub(super) fn wake_key(consumer: Consumer, subject: OrderId) -> Item {
    let mut key = order_key(subject);
    key.insert("consumer".to_owned(), text(items::consumer(consumer)));
    key
}

fn queue_of(consumer: Consumer, subject: OrderId) -> AttributeValue {
    queue(consumer, items::shard_of(subject.as_uuid()))
}

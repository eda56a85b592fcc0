//! The rows of many write sets by kind, and the statement that writes each kind at once.

use super::Failure;
use super::apply;
use super::outbox::consumer;
use super::rows::{
    Id, account_code, aim_code, event_code, number, status_code, step_code, transfer_code,
    write_lines,
};
use crate::write_sets::{Subscriber, events_of, in_sequence, moves};
use domain::order::Failure as OrderFailure;
use domain::stock::Movement;
use domain::transfer::{Asset, Subject};
use domain::{
    Change, Consumer, Event, Lease, LedgerEntry, Order, Timestamp, Transfer, Wake, WriteSet,
};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::{BTreeSet, HashSet};

/// The rows of a round, by kind, each with the number of its write set.
#[derive(Default)]
pub(super) struct Rows<'w> {
    placed: Vec<(usize, &'w Order, &'w LedgerEntry)>,
    moved: Vec<(usize, u32, &'w Order, Vec<&'w Event>)>,
    events: Vec<(usize, &'w Event)>,
    announced: Vec<(&'w Event, Id)>,
    transfers: Vec<(usize, &'w Transfer)>,
    stock: Vec<(usize, &'w Movement)>,
    wakes: Vec<(usize, &'w Wake)>,
    settled: Vec<(usize, &'w Lease)>,
    delayed: Vec<(usize, &'w Lease, Timestamp, Option<&'w str>)>,
    /// What is rare, and made one by one.
    others: Vec<(usize, &'w Change)>,
    /// Whose guard fails without a look.
    wrong: BTreeSet<usize>,
}

impl<'w> Rows<'w> {
    /// Adds what a write set changes.
    pub(super) fn gather(
        &mut self,
        number: usize,
        write_set: &'w WriteSet,
        subscribers: &[Subscriber],
    ) {
        for change in &write_set.changes {
            match change {
                Change::Place(order, entry) => self.placed.push((number, order, entry)),
                Change::Order { was, now } => {
                    let events = events_of(write_set, now);
                    if !in_sequence(&events) {
                        self.wrong.insert(number);
                    }
                    self.moved.push((number, *was, now, events));
                }
                Change::Event(event) => {
                    if event.sequence > 1 && !moves(write_set, event) {
                        self.wrong.insert(number);
                    }
                    self.events.push((number, event));
                    let wants = |it: &&Subscriber| it.endpoint.wants(event.kind);
                    let of = |it: &Subscriber| (event, consumer(Consumer::Announce(it.id)));
                    let told = subscribers.iter().filter(wants).map(of);
                    self.announced.extend(told);
                }
                Change::Transfer(transfer) => self.transfers.push((number, transfer)),
                Change::Stock(movement) => self.stock.push((number, movement)),
                Change::Wake(wake) => self.wakes.push((number, wake)),
                Change::Settle(lease) => self.settled.push((number, lease)),
                Change::Delay {
                    lease,
                    due_at,
                    error,
                } => self
                    .delayed
                    .push((number, lease, *due_at, error.as_deref())),
                Change::Delivered(_) | Change::Forget(_) | Change::Record { .. } => {
                    self.others.push((number, change));
                }
            }
        }
    }

    /// Writes them all; those whose guard failed.
    pub(super) async fn write(
        mut self,
        to: &mut PgConnection,
        write_sets: &[&WriteSet],
    ) -> Result<BTreeSet<usize>, Failure> {
        let mut wrong = std::mem::take(&mut self.wrong);
        wrong.extend(self.place(to).await?);
        wrong.extend(self.move_on(to).await?);
        wrong.extend(self.add_events(to).await?);
        wrong.extend(self.add_transfers(to).await?);
        wrong.extend(self.move_stock(to).await?);
        self.announce(to).await?;
        self.wake(to).await?;
        wrong.extend(self.settle(to).await?);
        wrong.extend(self.delay(to).await?);
        for (number, change) in self.others {
            if !apply::make(to, change, write_sets[number], &[]).await? {
                wrong.insert(number);
            }
        }
        Ok(wrong)
    }

    #[expect(clippy::too_many_lines, reason = "it is one statement and its columns")]
    async fn place(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.placed.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Id> = self.placed.iter().map(|it| Id(it.1.id.as_uuid())).collect();
        let each = || self.placed.iter().map(|(_, order, _)| *order);
        let inserted = sqlx::query(
            "insert into order_rows (order_id, status, version, customer_id, customer_name,
               currency, total_minor, contract, fulfil, metadata, created_at, lines)
             select order_id, status, version, customer_id, customer_name, currency, total_minor,
               contract, fulfil, metadata, created_at, lines::json
             from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
               $6::text[], $7::bigint[], $8::bigint[], $9::bool[], $10::text[], $11::bigint[],
               $12::text[])
               as new (order_id, status, version, customer_id, customer_name, currency,
                 total_minor, contract, fulfil, metadata, created_at, lines)
             on conflict do nothing",
        )
        .bind(&ids)
        .bind(each().map(|it| status_code(it.status)).collect::<Vec<_>>())
        .bind(each().map(|it| i64::from(it.version)).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| it.customer_id.as_ref().map(domain::CustomerId::as_str))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.customer_name.as_ref().map(domain::Name::as_str))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.currency.as_str().to_owned())
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.total_minor.as_minor())
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| i64::from(it.contract.0))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| it.fulfil).collect::<Vec<_>>())
        .bind(each().map(|it| it.metadata.as_deref()).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| it.created_at.as_millis())
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| write_lines(&it.lines)).collect::<Vec<_>>())
        .execute(&mut *to)
        .await?;
        if inserted.rows_affected() < ids.len() as u64 {
            return Ok(self.placed.iter().map(|it| it.0).collect());
        }
        let entries = || self.placed.iter().map(|(_, _, entry)| *entry);
        sqlx::query(
            "insert into ledger_rows (order_id, quantity, total_minor, currency, recorded_at)
             select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])",
        )
        .bind(&ids)
        .bind(entries().map(|it| i64::from(it.quantity)).collect::<Vec<_>>())
        .bind(entries().map(|it| it.total_minor.as_minor()).collect::<Vec<_>>())
        .bind(entries().map(|it| it.currency.as_str().to_owned()).collect::<Vec<_>>())
        .bind(each().map(|it| it.created_at.as_millis()).collect::<Vec<_>>())
        .execute(to)
        .await?;
        Ok(Vec::new())
    }

    #[expect(clippy::too_many_lines, reason = "it is one statement and its columns")]
    async fn move_on(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.moved.is_empty() {
            return Ok(Vec::new());
        }
        let each = || self.moved.iter().map(|(_, _, order, _)| *order);
        let newest = |events: &[&Event]| events.last().map(|it| i64::from(it.sequence));
        let before = |events: &[&Event]| events.first().map(|it| i64::from(it.sequence) - 1);
        let failure = |order: &Order| {
            let failure = order.failure.as_ref().map(OrderFailure::to_json);
            failure.map(|failure| failure.to_string())
        };
        let rows = sqlx::query(
            "update order_rows as o set version = new.version, status = new.status,
               captured_minor = new.captured, refunded_minor = new.refunded, label = new.label,
               updated_at = new.updated_at, hidden_at = new.hidden_at,
               newest_sequence = coalesce(new.newest, o.newest_sequence), round = new.round,
               step = new.step, tries = new.tries, aim = new.aim, deadline_at = new.deadline_at,
               failure = new.failure
             from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[],
               $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[],
               $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
               $17::text[], $18::bigint[])
               as new (number, order_id, was, version, status, captured, refunded, label,
                 updated_at, hidden_at, newest, round, step, tries, aim, deadline_at, failure,
                 before)
             where o.order_id = new.order_id and o.version = new.was
               and o.newest_sequence = coalesce(new.before, o.newest_sequence)
             returning new.number",
        )
        .bind(numbers(self.moved.iter().map(|it| it.0)))
        .bind(each().map(|it| Id(it.id.as_uuid())).collect::<Vec<_>>())
        .bind(
            self.moved
                .iter()
                .map(|it| i64::from(it.1))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| i64::from(it.version)).collect::<Vec<_>>())
        .bind(each().map(|it| status_code(it.status)).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| it.captured_minor.as_minor())
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.refunded_minor.as_minor())
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.label.as_ref().map(domain::text::Label::as_str))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.updated_at.as_millis())
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.hidden_at.map(Timestamp::as_millis))
                .collect::<Vec<_>>(),
        )
        .bind(
            self.moved
                .iter()
                .map(|it| newest(&it.3))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| i64::from(it.progress.round))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.progress.step.map(step_code))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| i64::from(it.progress.tries))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| aim_code(it.progress.aim))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.progress.deadline_at.map(Timestamp::as_millis))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(failure).collect::<Vec<_>>())
        .bind(
            self.moved
                .iter()
                .map(|it| before(&it.3))
                .collect::<Vec<_>>(),
        )
        .fetch_all(to)
        .await?;
        missing(self.moved.iter().map(|it| it.0), &rows)
    }

    async fn add_events(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.events.is_empty() {
            return Ok(Vec::new());
        }
        let each = || self.events.iter().map(|(_, event)| *event);
        let added = sqlx::query(
            "insert into event_rows (order_id, sequence, event_id, kind, payload, occurred_at,
               traceparent)
             select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::text[],
               $6::bigint[], $7::text[])
             on conflict do nothing",
        )
        .bind(
            each()
                .map(|it| Id(it.order_id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.sequence.cast_signed())
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| Id(it.id.as_uuid())).collect::<Vec<_>>())
        .bind(each().map(|it| event_code(it.kind)).collect::<Vec<_>>())
        .bind(each().map(|it| it.payload.as_deref()).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| it.occurred_at.as_millis())
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| it.traceparent.as_deref())
                .collect::<Vec<_>>(),
        )
        .execute(to)
        .await?;
        Ok(unless_all(
            added.rows_affected(),
            self.events.iter().map(|it| it.0),
        ))
    }

    async fn announce(&self, to: &mut PgConnection) -> Result<(), Failure> {
        // Of several events of an order the last says up to where, the first from where.
        for (event, whom) in &self.announced {
            apply::announce(to, *whom, event).await?;
        }
        Ok(())
    }

    async fn add_transfers(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.transfers.is_empty() {
            return Ok(Vec::new());
        }
        let each = || self.transfers.iter().map(|(_, transfer)| *transfer);
        let subject = |transfer: &Transfer| match transfer.subject {
            Subject::Order(id) => Id(id.as_uuid()),
            Subject::Adjustment(id) => Id(id),
        };
        let item = |transfer: &'w Transfer| match &transfer.asset {
            Asset::Money(_) => None,
            Asset::Item(item_id) => Some(item_id.as_str()),
        };
        let added = sqlx::query(
            "insert into transfer_rows (subject, number, kind, pending_number, item_id, debit,
               credit, amount, reason, occurred_at)
             select subject, number, kind, pending, item_id, debit, credit, amount, reason,
               occurred_at
             from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[],
               $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[])
               as new (subject, number, kind, pending, item_id, debit, credit, amount, reason,
                 occurred_at)
             on conflict do nothing",
        )
        .bind(each().map(subject).collect::<Vec<_>>())
        .bind(each().map(|it| i64::from(it.number)).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| transfer_code(it.kind).0)
                .collect::<Vec<_>>(),
        )
        .bind(
            each()
                .map(|it| transfer_code(it.kind).1.map(i64::from))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(item).collect::<Vec<_>>())
        .bind(each().map(|it| account_code(it.debit)).collect::<Vec<_>>())
        .bind(each().map(|it| account_code(it.credit)).collect::<Vec<_>>())
        .bind(each().map(|it| it.amount.cast_signed()).collect::<Vec<_>>())
        .bind(each().map(|it| it.reason.as_deref()).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| it.occurred_at.as_millis())
                .collect::<Vec<_>>(),
        )
        .execute(to)
        .await?;
        Ok(unless_all(
            added.rows_affected(),
            self.transfers.iter().map(|it| it.0),
        ))
    }

    /// An item that was never counted is looked at alone.
    async fn move_stock(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.stock.is_empty() {
            return Ok(Vec::new());
        }
        let each = || self.stock.iter().map(|(_, movement)| *movement);
        let rows = sqlx::query(
            "with new as (
               select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[],
                 $5::bigint[]) as new (number, item_id, on_hand, reserved, was)
             ), locked as (
               -- In one order whoever comes, so that nobody waits for each other.
               select item_id from stock_rows where item_id in (select item_id from new)
               order by item_id for update
             )
             update stock_rows as s
             set on_hand = s.on_hand + new.on_hand, reserved = s.reserved + new.reserved
             from new join locked using (item_id)
             where s.item_id = new.item_id
               and s.reserved + new.reserved between 0 and s.on_hand + new.on_hand
               and s.on_hand = coalesce(new.was, s.on_hand)
             returning new.number",
        )
        .bind(numbers(self.stock.iter().map(|it| it.0)))
        .bind(each().map(|it| it.item_id.as_str()).collect::<Vec<_>>())
        .bind(each().map(|it| it.on_hand).collect::<Vec<_>>())
        .bind(each().map(|it| it.reserved).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| it.was.map(u64::cast_signed))
                .collect::<Vec<_>>(),
        )
        .fetch_all(to)
        .await?;
        // A write set moves several items, and each has to be moved.
        if rows.len() == self.stock.len() {
            return Ok(Vec::new());
        }
        let mut moved = Vec::new();
        for row in &rows {
            moved.push(number::<_, usize>(row, 0, "number")?);
        }
        let count = |of: usize, all: &[usize]| all.iter().filter(|it| **it == of).count();
        let asked: Vec<usize> = self.stock.iter().map(|it| it.0).collect();
        let wrong = asked.iter().copied();
        Ok(wrong
            .filter(|of| count(*of, &moved) < count(*of, &asked))
            .collect())
    }

    async fn wake(&self, to: &mut PgConnection) -> Result<(), Failure> {
        if self.wakes.is_empty() {
            return Ok(());
        }
        let each = || self.wakes.iter().map(|(_, wake)| *wake);
        sqlx::query(
            "insert into wake_rows as w (consumer, order_id, since, head, due_at)
             select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint[])
             on conflict (consumer, order_id) do update set head = greatest(w.head, excluded.head),
               since = least(w.since, excluded.since), due_at = least(w.due_at, excluded.due_at)",
        )
        .bind(each().map(|it| consumer(it.consumer)).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| Id(it.subject.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| it.since.cast_signed()).collect::<Vec<_>>())
        .bind(each().map(|it| it.head.cast_signed()).collect::<Vec<_>>())
        .bind(each().map(|it| it.due_at.as_millis()).collect::<Vec<_>>())
        .execute(to)
        .await?;
        Ok(())
    }

    async fn settle(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.settled.is_empty() {
            return Ok(Vec::new());
        }
        let each = || self.settled.iter().map(|(_, lease)| *lease);
        let rows = sqlx::query(
            "delete from wake_rows as w
             using unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])
               as done (number, consumer, order_id, attempt, head)
             where w.consumer = done.consumer and w.order_id = done.order_id
               and w.attempt = done.attempt and w.head = done.head
             returning done.number",
        )
        .bind(numbers(self.settled.iter().map(|it| it.0)))
        .bind(each().map(|it| consumer(it.consumer)).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| Id(it.subject.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| i64::from(it.attempt)).collect::<Vec<_>>())
        .bind(each().map(|it| i64::from(it.head)).collect::<Vec<_>>())
        .fetch_all(to)
        .await?;
        missing(self.settled.iter().map(|it| it.0), &rows)
    }

    async fn delay(&self, to: &mut PgConnection) -> Result<Vec<usize>, Failure> {
        if self.delayed.is_empty() {
            return Ok(Vec::new());
        }
        let each = || self.delayed.iter().map(|(_, lease, ..)| *lease);
        let rows = sqlx::query(
            "update wake_rows as w set due_at = new.due_at, received = 0, last_error = new.error,
               since = new.since, tries = new.tries
             from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[],
               $6::text[], $7::bigint[], $8::bigint[])
               as new (number, consumer, order_id, attempt, due_at, error, since, tries)
             where w.consumer = new.consumer and w.order_id = new.order_id
               and w.attempt = new.attempt
             returning new.number",
        )
        .bind(numbers(self.delayed.iter().map(|it| it.0)))
        .bind(each().map(|it| consumer(it.consumer)).collect::<Vec<_>>())
        .bind(
            each()
                .map(|it| Id(it.subject.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .bind(each().map(|it| i64::from(it.attempt)).collect::<Vec<_>>())
        .bind(
            self.delayed
                .iter()
                .map(|it| it.2.as_millis())
                .collect::<Vec<_>>(),
        )
        .bind(self.delayed.iter().map(|it| it.3).collect::<Vec<_>>())
        .bind(each().map(|it| i64::from(it.since)).collect::<Vec<_>>())
        .bind(each().map(|it| i64::from(it.tries)).collect::<Vec<_>>())
        .fetch_all(to)
        .await?;
        missing(self.delayed.iter().map(|it| it.0), &rows)
    }
}

/// The numbers of write sets as an argument.
fn numbers(of: impl Iterator<Item = usize>) -> Vec<i64> {
    of.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
        .collect()
}

/// Those of whom no row says that it was written.
fn missing(all: impl Iterator<Item = usize>, rows: &[PgRow]) -> Result<Vec<usize>, Failure> {
    let mut written = HashSet::new();
    for row in rows {
        written.insert(number::<_, usize>(row, 0, "number")?);
    }
    Ok(all.filter(|number| !written.contains(number)).collect())
}

/// Nobody where all rows were written; else all, since it is not known whose was not.
fn unless_all(written: u64, all: impl ExactSizeIterator<Item = usize>) -> Vec<usize> {
    if written == all.len() as u64 {
        return Vec::new();
    }
    all.collect()
}

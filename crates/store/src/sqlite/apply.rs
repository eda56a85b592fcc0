//! One write set onto the open transaction: its claim, then its changes, guard by guard.
//!
//! Says what became of it; does not commit, roll back, or answer anyone.

use super::index::Found;
use super::rows::{self, BEHIND_ORDER, customer_hash, failed, halves, scope_hash, status_code};
use super::webhooks;
use super::{Indexes, books, moves, outbox, read};
use crate::Error;
use crate::mutant::{Mutant, planted};
use crate::write_sets::{Subscriber, events_of, moves, seen_of};
use domain::idempotency::{Body, Scope, Seen};
use domain::{
    Change, Claim, Event, LedgerEntry, Line, Order, OrderId, RecordId, RecordKind, Timestamp,
    WriteSet,
};
use rusqlite::{CachedStatement, Connection, params};
use std::collections::HashMap;

/// What became of one write set in the open group.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All of it is in the transaction.
    Done,
    /// Its key was taken, by a committed record or earlier in this group; it wrote nothing.
    Seen(Box<Seen>),
    /// A guard failed. `wrote` says whether an earlier change of the set is in the transaction.
    Refused { change: usize, wrote: bool },
}

/// Where the client text of a write set stands in the indexes.
pub(super) struct Hashes {
    pub(super) key: i64,
    customer: Option<i64>,
}

impl Hashes {
    /// The hashes of a write set; without a claim that of its key means nothing.
    pub(super) fn of(write_set: &WriteSet) -> Self {
        let customer = write_set
            .placed()
            .and_then(|order| order.customer_id.as_ref());
        let customer = customer.map(customer_hash);
        let key = write_set
            .claim
            .as_ref()
            .map_or(0, |claim| scope_hash(&claim.scope));
        Self { key, customer }
    }
}

/// A group of write sets that commit together.
pub(super) struct Group<'g> {
    connection: &'g Connection,
    indexes: &'g Indexes,
    /// Who is told of events.
    subscribers: &'g [Subscriber],
    sql: Statements<'g>,
    /// The keys that this group took, and who. Nobody else may see them before the COMMIT.
    taken: HashMap<&'g Scope, &'g WriteSet>,
    written: Written,
}

/// What a group adds to the indexes once it is committed, and where the next one goes on.
pub(super) struct Written {
    pub(super) next_record: i64,
    pub(super) keys: Vec<(i64, i64)>,
    pub(super) customers: Vec<(i64, i64)>,
    /// Whether it says anything about who is told of events.
    pub(super) endpoints: bool,
}

/// Prepared once a group, so that a row costs no look-up of its statement.
struct Statements<'c> {
    order: CachedStatement<'c>,
    line: CachedStatement<'c>,
    ledger: CachedStatement<'c>,
    event: CachedStatement<'c>,
    wake: CachedStatement<'c>,
    key: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        let prepare = |sql| connection.prepare_cached(sql).map_err(failed);
        Ok(Self {
            order: prepare(
                "insert into order_rows (order_id, random, status, version, customer_id,
                   customer_name, currency, total_minor, captured_minor, refunded_minor, contract,
                   fulfil, label, metadata, created_at, updated_at, hidden_at, newest_event,
                   trace)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9, ?10, null, ?11, ?12, null, null,
                   ?13, ?14)
                 on conflict do nothing",
            )?,
            line: prepare(
                "insert into line_rows (order_id, line_number, item_id, name, quantity,
                   unit_price_minor)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
            ledger: prepare(
                "insert into ledger_rows (order_id, quantity, total_minor, currency)
                 values (?1, ?2, ?3, ?4)",
            )?,
            event: prepare(
                "insert into event_rows (event_id, random, after_order, sequence, kind, payload,
                   occurred_at, traceparent, previous)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 on conflict do nothing",
            )?,
            wake: prepare(
                "insert into wake_rows (consumer, order_id, head, due_at, since)
                 values (?1, ?2, ?3, ?4, ?5)
                 on conflict do update set head = max(head, excluded.head),
                   since = min(since, excluded.since), due_at = min(due_at, excluded.due_at)",
            )?,
            key: prepare(
                "insert into key_rows (record_id, principal, operation, key, scheme, digest,
                   status, renderer, reply, order_id, created_at)
                 values (?1, nullif(?2, ''), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?,
        })
    }
}

impl<'g> Group<'g> {
    /// A group on a connection whose transaction is open.
    pub(super) fn begin(
        connection: &'g Connection,
        indexes: &'g Indexes,
        subscribers: &'g [Subscriber],
        next_record: i64,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection,
            indexes,
            subscribers,
            sql: Statements::prepare(connection)?,
            taken: HashMap::new(),
            written: Written {
                next_record,
                keys: Vec::new(),
                customers: Vec::new(),
                endpoints: false,
            },
        })
    }

    /// What the group wrote; nothing is added any more.
    pub(super) fn end(self) -> Written {
        self.written
    }

    /// Puts one write set into the transaction, or finds out why not. Guards that fail leave the
    /// set's earlier changes behind: the caller undoes them.
    pub(super) fn apply(
        &mut self,
        write_set: &'g WriteSet,
        hashes: &Hashes,
    ) -> Result<Outcome, Error> {
        if let Some(claim) = &write_set.claim
            && let Some(seen) = self.seen(claim, hashes.key)?
        {
            return Ok(Outcome::Seen(Box::new(seen)));
        }
        let placed_at = write_set.placed().map(|order| order.created_at);
        for (number, change) in write_set.changes.iter().enumerate() {
            if !self.change(change, write_set, hashes, placed_at)? {
                let wrote = number > 0;
                return Ok(Outcome::Refused {
                    change: number,
                    wrote,
                });
            }
        }
        if let Some(claim) = &write_set.claim {
            if planted(Mutant::SplitTransaction) {
                self.connection
                    .execute_batch("commit; begin immediate")
                    .map_err(failed)?;
            }
            self.take(claim, hashes.key, placed_at)?;
            self.taken.insert(&claim.scope, write_set);
        }
        Ok(Outcome::Done)
    }

    fn seen(&self, claim: &Claim, hash: i64) -> Result<Option<Seen>, Error> {
        if let Some(write_set) = self.taken.get(&claim.scope)
            && !planted(Mutant::CheckThenInsert)
        {
            return Ok(seen_of(write_set));
        }
        let found = self.indexes.keys.look(hash, i64::MAX, read::CANDIDATES_MAX);
        let seen = find_seen(self.connection, found, &claim.scope)?;
        Ok(seen.filter(|seen| seen.created_at >= claim.forget_before))
    }

    fn take(
        &mut self,
        claim: &Claim,
        hash: i64,
        placed_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let record_id = self.written.next_record;
        let (renderer, stored) = match &claim.reply.body {
            Body::Rendered(renderer) => (Some(*renderer), None),
            Body::Stored(bytes) => (None, Some(&**bytes)),
        };
        self.sql
            .key
            .execute(params![
                record_id,
                claim.scope.principal.as_str(),
                claim.scope.operation.code(),
                claim.scope.key.as_str(),
                claim.fingerprint.scheme,
                claim.fingerprint.digest,
                claim.reply.status,
                renderer,
                stored,
                claim.order_id.map(|id| halves(id.as_uuid()).0),
                unless(claim.created_at, placed_at),
            ])
            .map_err(failed)?;
        self.written.next_record += 1;
        self.enter_key((hash, record_id))
    }

    fn enter_key(&mut self, entry: (i64, i64)) -> Result<(), Error> {
        self.indexes.keys.enter(self.connection, entry)?;
        self.written.keys.push(entry);
        Ok(())
    }

    /// Makes one change; `false` where its guard fails.
    fn change(
        &mut self,
        change: &Change,
        write_set: &WriteSet,
        hashes: &Hashes,
        placed_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        match change {
            Change::Place(order, entry) => {
                self.place(order, entry, first_event(write_set, order), hashes.customer)
            }
            Change::Order { was, now } => {
                let events = events_of(write_set, now);
                moves::order(self.connection, &mut self.sql.event, *was, now, &events)
            }
            Change::Event(event) => {
                let written = match event.sequence {
                    1 => self.first_event(event, placed_at)?,
                    // Written with the order that it belongs to.
                    _ => moves(write_set, event),
                };
                webhooks::announce(self.connection, self.subscribers, event)?;
                Ok(written)
            }
            Change::Transfer(transfer) => books::transfer(self.connection, transfer),
            Change::Stock(movement) => books::stock(self.connection, movement),
            Change::Wake(wake) => outbox::wake(&mut self.sql.wake, wake),
            Change::Settle(lease) => outbox::settle(self.connection, lease),
            Change::Delay { lease, due_at, how } => {
                outbox::delay(self.connection, lease, *due_at, how)
            }
            Change::Delivered(delivery) => webhooks::delivered(self.connection, delivery),
            Change::Forget(endpoint_id) => webhooks::forget(self.connection, *endpoint_id),
            Change::Record { id, was, body } => self.record(id, *was, body.as_deref()),
        }
    }

    fn place(
        &mut self,
        order: &Order,
        entry: &LedgerEntry,
        first_event: Option<i64>,
        customer_hash: Option<i64>,
    ) -> Result<bool, Error> {
        let (order_id, random) = halves(order.id.as_uuid());
        let inserted = self
            .sql
            .order
            .execute(params![
                order_id,
                random,
                status_code(order.status),
                order.version,
                order.customer_id.as_ref().map(domain::CustomerId::as_str),
                order.customer_name.as_ref().map(domain::Name::as_str),
                order.currency.as_str(),
                order.total_minor.as_minor(),
                order.contract.0,
                order.fulfil,
                order.metadata.as_deref(),
                order.created_at.as_millis(),
                first_event.map(|event_id| event_id - order_id),
                order.trace.map(|trace| trace.to_string()),
            ])
            .map_err(failed)?;
        if inserted == 0 {
            return Ok(false);
        }
        for (number, line) in (1_i64..).zip(&order.lines) {
            self.line(order_id, number, line)?;
        }
        self.sql
            .ledger
            .execute(params![
                order_id,
                entry.quantity,
                entry.total_minor.as_minor(),
                entry.currency.as_str(),
            ])
            .map_err(failed)?;
        if let (Some(customers), Some(hash)) = (&self.indexes.customers, customer_hash) {
            let new = (hash, order_id);
            if is_of_others(order.id) {
                let least = OrderId::NUMBER_MAX.cast_signed();
                customers.enter_at_once(self.connection, new, least)?;
            } else {
                customers.enter(self.connection, new)?;
                self.written.customers.push(new);
            }
        }
        Ok(true)
    }

    fn line(&mut self, order_id: i64, number: i64, line: &Line) -> Result<(), Error> {
        self.sql
            .line
            .execute(params![
                order_id,
                number,
                line.item_id.as_ref().map(domain::ItemId::as_str),
                line.name.as_ref().map(domain::Name::as_str),
                line.quantity.get(),
                line.unit_price_minor.as_minor(),
            ])
            .map_err(failed)?;
        Ok(())
    }

    /// The first event comes with the order's placing, which points at it.
    fn first_event(&mut self, event: &Event, placed_at: Option<Timestamp>) -> Result<bool, Error> {
        let order_id = halves(event.order_id.as_uuid()).0;
        let occurred_at = unless(event.occurred_at, placed_at);
        moves::insert_event(&mut self.sql.event, event, order_id, occurred_at, None)
    }

    fn record(&mut self, id: &RecordId, was: u32, body: Option<&[u8]>) -> Result<bool, Error> {
        self.written.endpoints |= id.kind == RecordKind::Endpoint;
        let (kind, name) = (id.kind.as_str(), &*id.id);
        let changed = match (was, body) {
            (0, Some(body)) => self.connection.execute(
                "insert into record_rows (kind, id, version, body) values (?1, ?2, 1, ?3)
                 on conflict do nothing",
                params![kind, name, body],
            ),
            (was, Some(body)) => self.connection.execute(
                "update record_rows set version = version + 1, body = ?4
                 where kind = ?1 and id = ?2 and version = ?3",
                params![kind, name, was, body],
            ),
            (was, None) => self.connection.execute(
                "delete from record_rows where kind = ?1 and id = ?2 and version = ?3",
                params![kind, name, was],
            ),
        };
        changed.map(|rows| rows == 1).map_err(failed)
    }
}

/// Whether another system has named an order: then its row number is no time.
fn is_of_others(id: OrderId) -> bool {
    id.number().is_some() || id.as_uuid().get_version_num() != 7
}

/// The row of an order's first event. An order points at its newest event; written with the order,
/// that needs no update a moment later.
fn first_event(write_set: &WriteSet, order: &Order) -> Option<i64> {
    write_set.changes.iter().find_map(|change| match change {
        Change::Event(event) if event.order_id == order.id => Some(halves(event.id.as_uuid()).0),
        _ => None,
    })
}

/// A time as it is stored: not at all, where it is the moment that the order was placed.
fn unless(time: Timestamp, placed_at: Option<Timestamp>) -> Option<i64> {
    (Some(time) != placed_at).then_some(time.as_millis())
}

/// The newest committed record of a scope: one of those that are in memory, in most cases.
pub(super) fn find_seen(
    connection: &Connection,
    found: Found,
    scope: &Scope,
) -> Result<Option<Seen>, Error> {
    for record_id in found.newest() {
        if let Some(seen) = seen_in_row(connection, *record_id, scope)? {
            return Ok(Some(seen));
        }
    }
    for record_id in found.with_moved(connection)? {
        if let Some(seen) = seen_in_row(connection, record_id, scope)? {
            return Ok(Some(seen));
        }
    }
    Ok(None)
}

fn seen_in_row(
    connection: &Connection,
    record_id: i64,
    scope: &Scope,
) -> Result<Option<Seen>, Error> {
    let mut select = connection
        .prepare_cached(
            "select o.order_id, random, o.status, version, customer_id, customer_name, currency,
               total_minor, captured_minor, refunded_minor, contract, fulfil, label, metadata,
               o.created_at, updated_at, hidden_at, newest_sequence, round, step, tries, aim,
               deadline_at, failure, trace, item_id, name, quantity, unit_price_minor,
               k.scheme, k.digest, k.status, k.renderer, k.reply,
               coalesce(k.created_at, o.created_at)
             from key_rows as k left join order_rows as o using (order_id)
               left join line_rows as line using (order_id)
             where record_id = ?1 and coalesce(principal, '') = ?2 and operation = ?3 and key = ?4
             order by line_number",
        )
        .map_err(failed)?;
    let mut rows = select
        .query(params![
            record_id,
            scope.principal.as_str(),
            scope.operation.code(),
            scope.key.as_str()
        ])
        .map_err(failed)?;
    let mut seen: Option<Seen> = None;
    while let Some(row) = rows.next().map_err(failed)? {
        if seen.is_none() {
            let order_id: Option<i64> = rows::get(row, 0)?;
            let order = order_id.map(|_| rows::order(row)).transpose()?;
            seen = Some(rows::seen(row, BEHIND_ORDER + rows::LINE, order)?);
        }
        if let Some(order) = seen.as_mut().and_then(|seen| seen.order.as_mut()) {
            order.lines.push(rows::line(row, BEHIND_ORDER)?);
        }
    }
    Ok(seen)
}

//! The outbox: who is to be woken, when, and who has it until then.

use super::rows::{consumer_code, failed, get, halves, uuid};
use super::webhooks::subscribers;
use crate::{Error, LeaseClaim, Leased, WAITING_MAX, Waiting, Which};
use domain::{Consumer, Delayed, Lease, OrderId, Timestamp, Wake};
use rusqlite::{Connection, Row, Statement, params};

/// Work for a consumer, or more of it; it may be earlier now, never later.
pub(super) fn wake(upsert: &mut Statement<'_>, wake: &Wake) -> Result<bool, Error> {
    upsert
        .execute(params![
            consumer_code(wake.consumer),
            halves(wake.subject.as_uuid()).0,
            wake.head,
            wake.due_at.as_millis(),
            wake.since,
        ])
        .map(|_| true)
        .map_err(failed)
}

/// The lease is done with, unless it was taken over or there is more to do.
pub(super) fn settle(connection: &Connection, lease: &Lease) -> Result<bool, Error> {
    connection
        .prepare_cached(
            "delete from wake_rows
             where consumer = ?1 and order_id = ?2 and attempt = ?3 and received > 0
               and head = ?4",
        )
        .and_then(|mut delete| {
            delete.execute(params![
                consumer_code(lease.consumer),
                halves(lease.subject.as_uuid()).0,
                lease.attempt,
                lease.head,
            ])
        })
        .map(|rows| rows == 1)
        .map_err(failed)
}

/// The lease is extended, or given back until later, unless it was taken over or given back.
pub(super) fn delay(
    connection: &Connection,
    lease: &Lease,
    due_at: Timestamp,
    how: &Delayed,
) -> Result<bool, Error> {
    connection
        .prepare_cached(
            "update wake_rows set due_at = ?4, received = coalesce(?5, received),
               last_error = iif(?5 is null, last_error, ?6),
               since = iif(?5 is null, since, ?7), tries = iif(?5 is null, tries, ?8)
             where consumer = ?1 and order_id = ?2 and attempt = ?3 and received > 0",
        )
        .and_then(|mut update| {
            update.execute(params![
                consumer_code(lease.consumer),
                halves(lease.subject.as_uuid()).0,
                lease.attempt,
                due_at.as_millis(),
                how.received(),
                how.error(),
                lease.since,
                lease.tries,
            ])
        })
        .map(|rows| rows == 1)
        .map_err(failed)
}

/// When a consumer has something to do next, whoever has it at the moment.
pub(super) fn next_due(
    connection: &Connection,
    consumer: Consumer,
) -> Result<Option<Timestamp>, Error> {
    let due: Option<i64> = connection
        .prepare_cached("select min(due_at) from wake_rows where consumer = ?1")
        .and_then(|mut select| select.query_row([consumer_code(consumer)], |row| row.get(0)))
        .map_err(failed)?;
    Ok(due.map(Timestamp::from_millis))
}

/// The orders that wait to be worked on.
pub(super) fn to_fulfil(connection: &Connection) -> Result<Waiting, Error> {
    let fulfil = consumer_code(Consumer::Fulfil);
    Ok(Waiting {
        count: count(connection, (fulfil, fulfil))?,
        oldest_due_at: next_due(connection, Consumer::Fulfil)?,
    })
}

/// The orders that endpoints wait to be told of.
pub(super) fn to_announce(connection: &Connection) -> Result<Waiting, Error> {
    let mut oldest_due_at = None;
    for subscriber in subscribers(connection)?.iter() {
        let due = next_due(connection, Consumer::Announce(subscriber.id))?;
        oldest_due_at = [oldest_due_at, due].into_iter().flatten().min();
    }
    let fulfil = consumer_code(Consumer::Fulfil);
    Ok(Waiting {
        count: count(connection, (fulfil + 1, i64::MAX))?,
        oldest_due_at,
    })
}

/// How many wakes these consumers have.
fn count(connection: &Connection, (least, most): (i64, i64)) -> Result<u64, Error> {
    connection
        .prepare_cached(
            "select count(*) from
               (select 1 from wake_rows where consumer between ?1 and ?2 limit ?3)",
        )
        .and_then(|mut select| {
            select.query_row(params![least, most, WAITING_MAX], |row| row.get(0))
        })
        .map_err(failed)
}

/// Leases what is claimed.
pub(super) fn lease(connection: &Connection, claim: &LeaseClaim) -> Result<Leased, Error> {
    let entries = match claim.which {
        Which::Due(max) => due(connection, claim, max, 1)?,
        Which::DueToPassOn(max) => due(connection, claim, max, 0)?,
        Which::Of(subject) => of(connection, claim, subject)?,
    };
    let mut take = connection
        .prepare_cached(
            "update wake_rows set attempt = ?3, received = ?4, due_at = ?5
             where consumer = ?1 and order_id = ?2",
        )
        .map_err(failed)?;
    for lease in &entries {
        take.execute(params![
            consumer_code(lease.consumer),
            halves(lease.subject.as_uuid()).0,
            lease.attempt,
            lease.received,
            claim.until.as_millis(),
        ])
        .map_err(failed)?;
    }
    Ok(Leased {
        entries,
        next_due: next_due(connection, claim.consumer)?,
    })
}

/// `times`: how often more each counts as received; it was once at the least.
fn due(
    connection: &Connection,
    claim: &LeaseClaim,
    max: usize,
    times: u32,
) -> Result<Vec<Lease>, Error> {
    let mut select = connection
        .prepare_cached(
            "select order_id, coalesce(random, 0), head, w.attempt + 1,
               max(w.received + ?4, 1), since, w.tries
             from wake_rows as w left join order_rows using (order_id)
             where consumer = ?1 and due_at <= ?2 order by due_at limit ?3",
        )
        .map_err(failed)?;
    let mut rows = select
        .query(params![
            consumer_code(claim.consumer),
            claim.now.as_millis(),
            max,
            times,
        ])
        .map_err(failed)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        entries.push(leased(row, claim.consumer)?);
    }
    Ok(entries)
}

fn of(connection: &Connection, claim: &LeaseClaim, subject: OrderId) -> Result<Vec<Lease>, Error> {
    let mut select = connection
        .prepare_cached(
            "select order_id, coalesce(random, 0), head, w.attempt + 1, w.received + 1, since,
               w.tries
             from wake_rows as w left join order_rows using (order_id)
             where consumer = ?1 and order_id = ?2
               and (due_at <= ?3 or received > 0 or last_error is null)",
        )
        .map_err(failed)?;
    let mut rows = select
        .query(params![
            consumer_code(claim.consumer),
            halves(subject.as_uuid()).0,
            claim.now.as_millis(),
        ])
        .map_err(failed)?;
    let lease = rows.next().map_err(failed)?;
    let lease = lease.map(|row| leased(row, claim.consumer)).transpose()?;
    // The half that rows go by may be another order's.
    let lease = lease.filter(|lease| lease.subject == subject);
    Ok(lease.into_iter().collect())
}

fn leased(row: &Row<'_>, consumer: Consumer) -> Result<Lease, Error> {
    Ok(Lease {
        consumer,
        subject: OrderId::new(uuid(get(row, 0)?, get(row, 1)?)),
        head: get(row, 2)?,
        attempt: get(row, 3)?,
        received: get(row, 4)?,
        since: get(row, 5)?,
        tries: get(row, 6)?,
    })
}

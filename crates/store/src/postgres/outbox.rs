//! The outbox: who is to be woken, when, and who has it until then.

use super::Failure;
use super::rows::{Columns, Id, failed, number};
use crate::{Error, LeaseClaim, Leased};
use domain::{Consumer, Lease, OrderId, Timestamp, Wake};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who is woken, as it is kept.
pub(super) fn consumer(consumer: Consumer) -> Id {
    Id(match consumer {
        Consumer::Fulfil => Uuid::nil(),
        Consumer::Announce(endpoint_id) => endpoint_id.as_uuid(),
    })
}

/// Work for a consumer, or more of it; it may be earlier now, never later.
pub(super) async fn wake(to: &mut PgConnection, wake: &Wake) -> Result<bool, Failure> {
    sqlx::query(
        "insert into wake_rows as w (consumer, order_id, since, head, due_at)
         values ($1, $2, $3, $4, $5)
         on conflict (consumer, order_id) do update set head = greatest(w.head, excluded.head),
           since = least(w.since, excluded.since), due_at = least(w.due_at, excluded.due_at)",
    )
    .bind(consumer(wake.consumer))
    .bind(Id(wake.subject.as_uuid()))
    .bind(i64::from(wake.since))
    .bind(i64::from(wake.head))
    .bind(wake.due_at.as_millis())
    .execute(to)
    .await?;
    Ok(true)
}

/// The lease is done with, unless it was taken over or there is more to do.
pub(super) async fn settle(to: &mut PgConnection, lease: &Lease) -> Result<bool, Failure> {
    let settled = sqlx::query(
        "delete from wake_rows
         where consumer = $1 and order_id = $2 and attempt = $3 and head = $4",
    )
    .bind(consumer(lease.consumer))
    .bind(Id(lease.subject.as_uuid()))
    .bind(i64::from(lease.attempt))
    .bind(i64::from(lease.head))
    .execute(to)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// The lease is extended, or given back until later, unless it was taken over.
pub(super) async fn delay(
    to: &mut PgConnection,
    lease: &Lease,
    due_at: Timestamp,
    error: Option<&str>,
) -> Result<bool, Failure> {
    let delayed = sqlx::query(
        "update wake_rows set due_at = $4, received = 0, last_error = $5, since = $6, tries = $7
         where consumer = $1 and order_id = $2 and attempt = $3",
    )
    .bind(consumer(lease.consumer))
    .bind(Id(lease.subject.as_uuid()))
    .bind(i64::from(lease.attempt))
    .bind(due_at.as_millis())
    .bind(error)
    .bind(i64::from(lease.since))
    .bind(i64::from(lease.tries))
    .execute(to)
    .await?;
    Ok(delayed.rows_affected() == 1)
}

/// Leases what is due and nobody else is leasing at this moment.
pub(super) async fn lease(pool: &PgPool, claim: &LeaseClaim) -> Result<Leased, Error> {
    let whom = consumer(claim.consumer);
    let next_due = async || -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("select min(due_at) from wake_rows where consumer = $1")
            .bind(whom)
            .fetch_one(pool)
            .await
            .map_err(failed)?;
        Ok(row.whole(0)?.map(Timestamp::from_millis))
    };
    // A look first: with nothing due, there is nothing to write.
    let due = next_due().await?;
    if due.is_none_or(|due| due > claim.now) {
        let entries = Vec::new();
        return Ok(Leased {
            entries,
            next_due: due,
        });
    }
    let rows = sqlx::query(
        "with due as (
           select order_id, due_at from wake_rows
           where consumer = $1 and due_at <= $2 order by due_at limit $3
           for update skip locked
         )
         update wake_rows as w
         set attempt = attempt + 1, received = received + 1, due_at = $4
         from due where w.consumer = $1 and w.order_id = due.order_id
         returning w.order_id, due.due_at, head, attempt, received, since, tries",
    )
    .bind(whom)
    .bind(claim.now.as_millis())
    .bind(i64::try_from(claim.max).unwrap_or(i64::MAX))
    .bind(claim.until.as_millis())
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    let mut entries: Vec<(i64, Lease)> = rows
        .iter()
        .map(|row| Ok((number(row, 1, "due_at")?, leased(row, claim.consumer)?)))
        .collect::<Result<_, Error>>()?;
    entries.sort_by_key(|(due_at, lease)| (*due_at, lease.subject));
    Ok(Leased {
        entries: entries.into_iter().map(|(_, lease)| lease).collect(),
        next_due: next_due().await?,
    })
}

fn leased(row: &PgRow, consumer: Consumer) -> Result<Lease, Error> {
    Ok(Lease {
        consumer,
        subject: OrderId::new(row.id(0)?),
        head: number(row, 2, "head")?,
        attempt: number(row, 3, "attempt")?,
        received: number(row, 4, "received")?,
        since: number(row, 5, "since")?,
        tries: number(row, 6, "tries")?,
    })
}

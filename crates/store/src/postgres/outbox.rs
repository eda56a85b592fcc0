//! The outbox: who is to be woken, when, and who has it until then.

use super::rows::{Columns, Id, failed, number};
use crate::{Error, LeaseClaim, Leased, Which};
use domain::{Consumer, Lease, OrderId, Timestamp};
use sqlx::PgPool;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Who is woken, as it is kept.
pub(super) fn consumer(consumer: Consumer) -> Id {
    Id(match consumer {
        Consumer::Fulfil => Uuid::nil(),
        Consumer::Announce(endpoint_id) => endpoint_id.as_uuid(),
    })
}

/// Leases what is claimed.
pub(super) async fn lease(pool: &PgPool, claim: &LeaseClaim) -> Result<Leased, Error> {
    match claim.which {
        Which::Due(max) => due(pool, claim, max, 1).await,
        Which::DueToPassOn(max) => due(pool, claim, max, 0).await,
        Which::Of(subject) => of(pool, claim, subject).await,
    }
}

/// Leases what is due and nobody else is leasing at this moment. `times`: how often more each counts
/// as received; it was once at the least.
async fn due(pool: &PgPool, claim: &LeaseClaim, max: usize, times: i32) -> Result<Leased, Error> {
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
         set attempt = attempt + 1, received = greatest(received + $5, 1), due_at = $4
         from due where w.consumer = $1 and w.order_id = due.order_id
         returning w.order_id, due.due_at, head, attempt, received, since, tries",
    )
    .bind(whom)
    .bind(claim.now.as_millis())
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .bind(claim.until.as_millis())
    .bind(times)
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

async fn of(pool: &PgPool, claim: &LeaseClaim, subject: OrderId) -> Result<Leased, Error> {
    let row = sqlx::query(
        "update wake_rows
         set attempt = attempt + 1, received = received + 1, due_at = $4
         where consumer = $1 and order_id = $2
           and (due_at <= $3 or received > 0 or last_error is null)
         returning order_id, due_at, head, attempt, received, since, tries",
    )
    .bind(consumer(claim.consumer))
    .bind(Id(subject.as_uuid()))
    .bind(claim.now.as_millis())
    .bind(claim.until.as_millis())
    .fetch_optional(pool)
    .await
    .map_err(failed)?;
    let lease = row.map(|row| leased(&row, claim.consumer)).transpose()?;
    Ok(Leased {
        entries: lease.into_iter().collect(),
        next_due: None,
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

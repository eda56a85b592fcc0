//! The outbox: who is to be woken, when, and who has it until then.

use super::rows::{Columns, failed, id, json, number};
use super::write::consumer;
use crate::{Error, LeaseClaim, Leased, Which};
use domain::{Consumer, Lease, OrderId, Timestamp};
use sqlx::MySqlPool;
use sqlx::mysql::MySqlRow;

/// Leases what is due and nobody else is leasing at this moment.
pub(super) async fn lease(pool: &MySqlPool, claim: &LeaseClaim) -> Result<Leased, Error> {
    match claim.which {
        Which::Due(max) => due(pool, claim, max, 1).await,
        Which::DueToPassOn(max) => due(pool, claim, max, 0).await,
        Which::Of(subject) => of(pool, claim, subject).await,
    }
}

/// Leases what is due and nobody else is leasing at this moment. `times`: how often more each counts
/// as received; it was once at the least.
async fn due(
    pool: &MySqlPool,
    claim: &LeaseClaim,
    max: usize,
    times: i32,
) -> Result<Leased, Error> {
    let due = next_due(pool, claim.consumer).await?;
    // A look first: with nothing due, there is nothing to write.
    if due.is_none_or(|due| due > claim.now) {
        let entries = Vec::new();
        return Ok(Leased {
            entries,
            next_due: due,
        });
    }
    let whom = consumer(claim.consumer);
    let mut transaction = pool.begin().await.map_err(failed)?;
    let rows = sqlx::query(
        "select order_id, head, attempt + 1, greatest(received + ?, 1), since, tries from wake_rows
         where consumer = ? and due_at <= ? order by due_at, order_id limit ?
         for update skip locked",
    )
    .bind(times)
    .bind(&whom.as_bytes()[..])
    .bind(claim.now.as_millis())
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(&mut *transaction)
    .await
    .map_err(failed)?;
    let leased = |row: &MySqlRow| leased(row, claim.consumer);
    let entries: Vec<Lease> = rows.iter().map(leased).collect::<Result<_, _>>()?;
    sqlx::query(
        "update json_table(?, '$[*]' columns (order_id char(32) path '$[0]')) as leased
           straight_join wake_rows as w force index (primary)
             on w.consumer = ? and w.order_id = unhex(leased.order_id)
         set w.attempt = w.attempt + 1, w.received = greatest(w.received + ?, 1), w.due_at = ?",
    )
    .bind(json(&entries, |it| (id(it.subject.as_uuid()),)))
    .bind(&whom.as_bytes()[..])
    .bind(times)
    .bind(claim.until.as_millis())
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(Leased {
        entries,
        next_due: next_due(pool, claim.consumer).await?,
    })
}

async fn of(pool: &MySqlPool, claim: &LeaseClaim, subject: OrderId) -> Result<Leased, Error> {
    let whom = consumer(claim.consumer);
    let mut transaction = pool.begin().await.map_err(failed)?;
    let row = sqlx::query(
        "select order_id, head, attempt + 1, received + 1, since, tries from wake_rows
         where consumer = ? and order_id = ?
           and (due_at <= ? or received > 0 or last_error is null)
         for update",
    )
    .bind(&whom.as_bytes()[..])
    .bind(&subject.as_uuid().as_bytes()[..])
    .bind(claim.now.as_millis())
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed)?;
    let lease = row.map(|row| leased(&row, claim.consumer)).transpose()?;
    if lease.is_some() {
        sqlx::query(
            "update wake_rows set attempt = attempt + 1, received = received + 1, due_at = ?
             where consumer = ? and order_id = ?",
        )
        .bind(claim.until.as_millis())
        .bind(&whom.as_bytes()[..])
        .bind(&subject.as_uuid().as_bytes()[..])
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(Leased {
        entries: lease.into_iter().collect(),
        next_due: None,
    })
}

async fn next_due(pool: &MySqlPool, whom: Consumer) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query("select min(due_at) from wake_rows where consumer = ?")
        .bind(&consumer(whom).as_bytes()[..])
        .fetch_one(pool)
        .await
        .map_err(failed)?;
    Ok(row.whole(0)?.map(Timestamp::from_millis))
}

fn leased(row: &MySqlRow, consumer: Consumer) -> Result<Lease, Error> {
    Ok(Lease {
        consumer,
        subject: OrderId::new(row.id(0)?),
        head: number(row, 1, "head")?,
        attempt: number(row, 2, "attempt")?,
        received: number(row, 3, "received")?,
        since: number(row, 4, "since")?,
        tries: number(row, 5, "tries")?,
    })
}

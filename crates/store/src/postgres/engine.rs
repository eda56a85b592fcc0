//! What the common part asks of this engine. Statements that are long have files of their own.

use super::rows::{Columns, Id, number};
use super::{audit, list, outbox, read, reset, write};
use crate::server::{At, Engine, Failure, Rows};
use crate::write_sets::{DELIVERIES_MAX, ENDPOINTS_MAX};
use crate::{
    Check, DeliveryQuery, Error, EventQuery, Finding, LeaseClaim, Leased, LetterQuery, OrderQuery,
    Page, RecordPage, RecordQuery, Stats,
};
use async_trait::async_trait;
use domain::idempotency::{Body, Scope, Seen};
use domain::{
    Change, Claim, Delivery, DeliveryId, EndpointId, Event, EventId, ItemId, Order, OrderId,
    Record, RecordId, Stock, Transfer,
};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, PgPool, Postgres};
use std::collections::{BTreeSet, HashSet};

#[async_trait]
impl Engine for Postgres {
    async fn take_new(to: &mut PgConnection, claims: &[&Claim]) -> Result<(), Failure> {
        take_new(to, claims).await
    }

    async fn take(to: &mut PgConnection, claims: &[&Claim]) -> Result<Vec<usize>, Failure> {
        take(to, claims).await
    }

    async fn seen(from: &mut PgConnection, scope: &Scope) -> Result<Option<Seen>, Failure> {
        Ok(read::seen(from, scope).await?)
    }

    async fn endpoints(from: &mut PgConnection) -> Result<Vec<(Box<str>, Box<[u8]>)>, Failure> {
        let rows = sqlx::query("select id, body from record_rows where kind = 'endpoint' limit $1")
            .bind(ENDPOINTS_MAX)
            .fetch_all(from)
            .await?;
        let endpoint = |row: &PgRow| {
            let (id, body) = (row.text(0)?, row.bytes(1)?);
            Ok((
                id.unwrap_or_default().into(),
                body.unwrap_or_default().into(),
            ))
        };
        rows.iter().map(endpoint).collect()
    }

    async fn write(to: &mut PgConnection, rows: &Rows<'_>) -> Result<BTreeSet<At>, Failure> {
        write::write(to, rows).await
    }

    async fn make(to: &mut PgConnection, change: &Change) -> Result<bool, Failure> {
        match change {
            Change::Delivered(delivery) => delivered(to, delivery).await,
            Change::Forget(endpoint_id) => forget(to, *endpoint_id).await,
            Change::Record { id, was, body } => record(to, id, *was, body.as_deref()).await,
            _ => Err(Error::Corrupt("a change that is not rare".into()).into()),
        }
    }

    /// 40001 and 40P01: serialization failure, deadlock.
    fn is_conflict(error: &sqlx::Error) -> bool {
        let code = error.as_database_error().and_then(DatabaseError::code);
        matches!(code.as_deref(), Some("40001" | "40P01"))
    }

    async fn order(pool: &PgPool, id: OrderId) -> Result<Option<Order>, Error> {
        read::order(pool, id).await
    }

    async fn orders(pool: &PgPool, query: &OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        read::orders(pool, query).await
    }

    async fn events(pool: &PgPool, order_id: OrderId) -> Result<Vec<Event>, Error> {
        read::events(pool, order_id).await
    }

    async fn newest_event(pool: &PgPool) -> Result<Option<EventId>, Error> {
        read::newest_event(pool).await
    }

    async fn events_after(pool: &PgPool, query: EventQuery) -> Result<Page<Event, EventId>, Error> {
        read::events_after(pool, query).await
    }

    async fn records(pool: &PgPool, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        read::records(pool, ids).await
    }

    async fn deliveries(
        pool: &PgPool,
        query: &DeliveryQuery,
    ) -> Result<Page<Delivery, DeliveryId>, Error> {
        read::deliveries(pool, query).await
    }

    async fn lease(pool: &PgPool, claim: &LeaseClaim) -> Result<Leased, Error> {
        outbox::lease(pool, claim).await
    }

    async fn transfers(pool: &PgPool, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        read::transfers(pool, order_id).await
    }

    async fn stock(pool: &PgPool, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        read::stocks(pool, items).await
    }

    async fn list(pool: &PgPool, query: &RecordQuery) -> Result<RecordPage, Error> {
        read::list(pool, query).await
    }

    async fn waiting_letters(pool: &PgPool, query: &LetterQuery) -> Result<RecordPage, Error> {
        read::waiting_letters(pool, query).await
    }

    async fn audit(
        pool: &PgPool,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        audit::audit(pool, check, after).await
    }

    async fn stats(pool: &PgPool, location: &str, told: &[EndpointId]) -> Result<Stats, Error> {
        read::stats(pool, location, told).await
    }

    async fn reset(pool: &PgPool) -> Result<u64, Error> {
        reset::all_orders(pool).await
    }
}

async fn take_new(to: &mut PgConnection, claims: &[&Claim]) -> Result<(), Failure> {
    let sql = "insert into key_rows (principal, operation, key, scheme, digest, status, renderer,
           reply, order_id, created_at)
         select * from unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[], $5::bytea[],
           $6::smallint[], $7::smallint[], $8::bytea[], $9::uuid[], $10::bigint[])";
    rows_of(sql, claims).execute(to).await?;
    Ok(())
}

async fn take(to: &mut PgConnection, claims: &[&Claim]) -> Result<Vec<usize>, Failure> {
    let sql = "insert into key_rows (principal, operation, key, scheme, digest, status, renderer,
           reply, order_id, created_at)
         select * from unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[], $5::bytea[],
             $6::smallint[], $7::smallint[], $8::bytea[], $9::uuid[], $10::bigint[])
           as new (principal, operation, key, scheme, digest, status, renderer, reply, order_id,
             created_at)
         order by principal, operation, key
         on conflict (principal, operation, key) do update set scheme = excluded.scheme,
           digest = excluded.digest, status = excluded.status, renderer = excluded.renderer,
           reply = excluded.reply, order_id = excluded.order_id, created_at = excluded.created_at
         where key_rows.created_at < $11
         returning principal, operation, key";
    let taken = rows_of(sql, claims)
        // The strictest of them: a key that only another may take over is looked at alone.
        .bind(claims.iter().map(|it| it.forget_before.as_millis()).min())
        .fetch_all(to)
        .await?;
    if taken.len() == claims.len() {
        return Ok(Vec::new());
    }
    let taken: HashSet<(&str, i64, &str)> = taken
        .iter()
        .map(|row| {
            let text = |column| row.text(column).map(Option::unwrap_or_default);
            Ok((text(0)?, number(row, 1, "operation")?, text(2)?))
        })
        .collect::<Result<_, Failure>>()?;
    let is_free = |claim: &Claim| {
        let operation = i64::from(claim.scope.operation.code());
        let scope = &claim.scope;
        taken.contains(&(scope.principal.as_str(), operation, scope.key.as_str()))
    };
    let refused = (0..claims.len()).filter(|number| !is_free(claims[*number]));
    Ok(refused.collect())
}

/// The statement with the rows of claims, a list for each column.
fn rows_of(sql: &'static str, claims: &[&Claim]) -> Query<'static, Postgres, PgArguments> {
    let stored = |claim: &&Claim| match &claim.reply.body {
        Body::Rendered(renderer) => (Some(i16::from(*renderer)), None),
        Body::Stored(bytes) => (None, Some(bytes.to_vec())),
    };
    sqlx::query(sql)
        .bind(list(claims, |it| it.scope.principal.as_str().to_owned()))
        .bind(list(claims, |it| i16::from(it.scope.operation.code())))
        .bind(list(claims, |it| it.scope.key.as_str().to_owned()))
        .bind(list(claims, |it| i16::from(it.fingerprint.scheme)))
        .bind(list(claims, |it| it.fingerprint.digest.to_vec()))
        .bind(list(claims, |it| it.reply.status.cast_signed()))
        .bind(list(claims, |it| stored(it).0))
        .bind(list(claims, |it| stored(it).1))
        .bind(list(claims, |it| it.order_id.map(|id| Id(id.as_uuid()))))
        .bind(list(claims, |it| it.created_at.as_millis()))
}

/// Adds a try to the log, and at times removes the old ones.
async fn delivered(to: &mut PgConnection, delivery: &Delivery) -> Result<bool, Failure> {
    let endpoint = Id(delivery.endpoint_id.as_uuid());
    sqlx::query(
        "insert into delivery_rows (endpoint_id, delivery_id, event_id, number, status, error,
           duration_ms)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(endpoint)
    .bind(Id(delivery.id.as_uuid()))
    .bind(Id(delivery.event_id.as_uuid()))
    .bind(i64::from(delivery.number))
    .bind(delivery.status.map(i64::from))
    .bind(delivery.error.as_deref())
    .bind(i64::from(delivery.duration_ms))
    .execute(&mut *to)
    .await?;
    if delivery.id.as_uuid().as_u128().is_multiple_of(100) {
        sqlx::query(
            "delete from delivery_rows where endpoint_id = $1 and delivery_id <= (
               select delivery_id from delivery_rows where endpoint_id = $1
               order by delivery_id desc limit 1 offset $2)",
        )
        .bind(endpoint)
        .bind(DELIVERIES_MAX)
        .execute(to)
        .await?;
    }
    Ok(true)
}

/// Nobody is woken for an endpoint any more, and its log goes as well.
async fn forget(to: &mut PgConnection, endpoint_id: EndpointId) -> Result<bool, Failure> {
    for sql in [
        "delete from wake_rows where consumer = $1",
        "delete from delivery_rows where endpoint_id = $1",
    ] {
        sqlx::query(sql)
            .bind(Id(endpoint_id.as_uuid()))
            .execute(&mut *to)
            .await?;
    }
    Ok(true)
}

async fn record(
    to: &mut PgConnection,
    id: &RecordId,
    was: u32,
    body: Option<&[u8]>,
) -> Result<bool, Failure> {
    let (kind, name, was) = (id.kind.as_str(), &*id.id, i64::from(was));
    let changed = match (was, body) {
        (0, Some(body)) => sqlx::query(
            "insert into record_rows (kind, id, version, body) values ($1, $2, 1, $3)
             on conflict do nothing",
        )
        .bind(kind)
        .bind(name)
        .bind(body),
        (was, Some(body)) => sqlx::query(
            "update record_rows set version = version + 1, body = $4
             where kind = $1 and id = $2 and version = $3",
        )
        .bind(kind)
        .bind(name)
        .bind(was)
        .bind(body),
        (was, None) => {
            sqlx::query("delete from record_rows where kind = $1 and id = $2 and version = $3")
                .bind(kind)
                .bind(name)
                .bind(was)
        }
    };
    Ok(changed.execute(to).await?.rows_affected() == 1)
}

//! What the common part asks of this engine. Statements that are long have files of their own.

use super::rows::{Columns, hex, id, is_conflict, json, number};
use super::{audit, outbox, read, reset, write};
use crate::server::{At, Engine, Failure, Rows, is_duplicate};
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
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, MySqlPool};
use std::collections::{BTreeSet, HashMap};

#[async_trait]
impl Engine for MySql {
    async fn take_new(to: &mut MySqlConnection, claims: &[&Claim]) -> Result<(), Failure> {
        take(to, claims).await
    }

    async fn take(to: &mut MySqlConnection, claims: &[&Claim]) -> Result<Vec<usize>, Failure> {
        let there = there(to, claims).await?;
        let is = |number: &usize, forgotten: bool| there.get(number) == Some(&forgotten);
        let (refused, free): (Vec<usize>, Vec<usize>) =
            (0..claims.len()).partition(|number| is(number, false));
        let those = |numbers: &[usize]| -> Vec<&Claim> {
            numbers.iter().map(|number| claims[*number]).collect()
        };
        let forgotten: Vec<usize> = free.iter().copied().filter(|it| is(it, true)).collect();
        if !forgotten.is_empty() {
            let_go(to, &those(&forgotten)).await?;
        }
        if !free.is_empty() {
            take(to, &those(&free)).await?;
        }
        Ok(refused)
    }

    async fn seen(from: &mut MySqlConnection, scope: &Scope) -> Result<Option<Seen>, Failure> {
        Ok(read::seen(from, scope).await?)
    }

    async fn endpoints(from: &mut MySqlConnection) -> Result<Vec<(Box<str>, Box<[u8]>)>, Failure> {
        let rows = sqlx::query("select id, body from record_rows where kind = 'endpoint' limit ?")
            .bind(ENDPOINTS_MAX)
            .fetch_all(from)
            .await?;
        let endpoint = |row: &MySqlRow| {
            let (id, body) = (row.text(0)?, row.bytes(1)?);
            Ok((
                id.unwrap_or_default().into(),
                body.unwrap_or_default().into(),
            ))
        };
        rows.iter().map(endpoint).collect()
    }

    async fn write(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<BTreeSet<At>, Failure> {
        write::write(to, rows).await
    }

    async fn make(to: &mut MySqlConnection, change: &Change) -> Result<bool, Failure> {
        match change {
            Change::Delivered(delivery) => delivered(to, delivery).await,
            Change::Forget(endpoint_id) => forget(to, *endpoint_id).await,
            Change::Record { id, was, body } => record(to, id, *was, body.as_deref()).await,
            _ => Err(Error::Corrupt("a change that is not rare".into()).into()),
        }
    }

    fn is_conflict(error: &sqlx::Error) -> bool {
        is_conflict(error)
    }

    async fn order(pool: &MySqlPool, id: OrderId) -> Result<Option<Order>, Error> {
        read::order(pool, id).await
    }

    async fn orders(pool: &MySqlPool, query: &OrderQuery) -> Result<Page<Order, OrderId>, Error> {
        read::orders(pool, query).await
    }

    async fn events(pool: &MySqlPool, order_id: OrderId) -> Result<Vec<Event>, Error> {
        read::events(pool, order_id).await
    }

    async fn newest_event(pool: &MySqlPool) -> Result<Option<EventId>, Error> {
        read::newest_event(pool).await
    }

    async fn events_after(
        pool: &MySqlPool,
        query: EventQuery,
    ) -> Result<Page<Event, EventId>, Error> {
        read::events_after(pool, query).await
    }

    async fn records(pool: &MySqlPool, ids: &[RecordId]) -> Result<Vec<Option<Record>>, Error> {
        read::records(pool, ids).await
    }

    async fn deliveries(
        pool: &MySqlPool,
        query: &DeliveryQuery,
    ) -> Result<Page<Delivery, DeliveryId>, Error> {
        read::deliveries(pool, query).await
    }

    async fn lease(pool: &MySqlPool, claim: &LeaseClaim) -> Result<Leased, Error> {
        outbox::lease(pool, claim).await
    }

    async fn transfers(pool: &MySqlPool, order_id: OrderId) -> Result<Vec<Transfer>, Error> {
        read::transfers(pool, order_id).await
    }

    async fn stock(pool: &MySqlPool, items: &[ItemId]) -> Result<Vec<Option<Stock>>, Error> {
        read::stocks(pool, items).await
    }

    async fn list(pool: &MySqlPool, query: &RecordQuery) -> Result<RecordPage, Error> {
        read::list(pool, query).await
    }

    async fn waiting_letters(pool: &MySqlPool, query: &LetterQuery) -> Result<RecordPage, Error> {
        read::waiting_letters(pool, query).await
    }

    async fn audit(
        pool: &MySqlPool,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        audit::audit(pool, check, after).await
    }

    async fn stats(pool: &MySqlPool, location: &str, told: &[EndpointId]) -> Result<Stats, Error> {
        read::stats(pool, location, told).await
    }

    async fn reset(pool: &MySqlPool) -> Result<u64, Error> {
        reset::all_orders(pool).await
    }
}

/// The numbers of the claims whose key is there, and whether it is to be forgotten.
async fn there(
    from: &mut MySqlConnection,
    claims: &[&Claim],
) -> Result<HashMap<usize, bool>, Failure> {
    let there = sqlx::query(
        "select new.number, k.created_at < new.forget_before
         from json_table(?, '$[*]' columns (number for ordinality,
             principal varchar(255) path '$[0]', operation smallint path '$[1]',
             idempotency_key varchar(255) path '$[2]', forget_before bigint path '$[3]')) as new
           straight_join key_rows as k force index (primary) on k.principal = new.principal
             and k.operation = new.operation and k.idempotency_key = new.idempotency_key
         for update",
    )
    .bind(json(claims, |claim| {
        (
            claim.scope.principal.as_str(),
            claim.scope.operation.code(),
            claim.scope.key.as_str(),
            claim.forget_before.as_millis(),
        )
    }))
    .fetch_all(from)
    .await?;
    let found = |row: &MySqlRow| {
        let number: usize = number(row, 0, "number")?;
        Ok((number - 1, row.whole(1)? == Some(1)))
    };
    there.iter().map(found).collect()
}

/// Removes records of keys that are to be forgotten.
async fn let_go(to: &mut MySqlConnection, claims: &[&Claim]) -> Result<(), Failure> {
    sqlx::query(
        "delete k
         from json_table(?, '$[*]' columns (principal varchar(255) path '$[0]',
             operation smallint path '$[1]', idempotency_key varchar(255) path '$[2]')) as new
           straight_join key_rows as k force index (primary) on k.principal = new.principal
             and k.operation = new.operation and k.idempotency_key = new.idempotency_key",
    )
    .bind(json(claims, |claim| {
        (
            claim.scope.principal.as_str(),
            claim.scope.operation.code(),
            claim.scope.key.as_str(),
        )
    }))
    .execute(to)
    .await?;
    Ok(())
}

/// Takes keys that are free. One that another has taken since it was looked for is there already,
/// which is a conflict.
async fn take(to: &mut MySqlConnection, claims: &[&Claim]) -> Result<(), Failure> {
    let taken = json(claims, |claim| {
        let (renderer, stored) = match &claim.reply.body {
            Body::Rendered(renderer) => (Some(*renderer), None),
            Body::Stored(bytes) => (None, Some(hex(bytes))),
        };
        (
            claim.scope.principal.as_str(),
            claim.scope.operation.code(),
            claim.scope.key.as_str(),
            claim.fingerprint.scheme,
            hex(&claim.fingerprint.digest),
            claim.reply.status,
            renderer,
            stored,
            claim.order_id.map(|order_id| id(order_id.as_uuid())),
            claim.created_at.as_millis(),
        )
    });
    sqlx::query(
        "insert into key_rows (principal, operation, idempotency_key, scheme, digest, status,
           renderer, reply, order_id, created_at)
         select principal, operation, idempotency_key, scheme, unhex(digest), status, renderer,
           unhex(reply), unhex(order_id), created_at
         from json_table(?, '$[*]' columns (principal varchar(255) path '$[0]',
           operation smallint path '$[1]', idempotency_key varchar(255) path '$[2]',
           scheme smallint path '$[3]', digest varchar(64) path '$[4]',
           status smallint path '$[5]', renderer smallint path '$[6]',
           reply mediumtext path '$[7]', order_id char(32) path '$[8]',
           created_at bigint path '$[9]')) as new",
    )
    .bind(taken)
    .execute(to)
    .await?;
    Ok(())
}

/// Adds a try to the log, and at times removes the old ones.
async fn delivered(to: &mut MySqlConnection, delivery: &Delivery) -> Result<bool, Failure> {
    let endpoint = delivery.endpoint_id.as_uuid();
    sqlx::query(
        "insert into delivery_rows (endpoint_id, delivery_id, event_id, number, status, error,
           duration_ms)
         values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&endpoint.as_bytes()[..])
    .bind(&delivery.id.as_uuid().as_bytes()[..])
    .bind(&delivery.event_id.as_uuid().as_bytes()[..])
    .bind(delivery.number)
    .bind(delivery.status)
    .bind(delivery.error.as_deref())
    .bind(delivery.duration_ms)
    .execute(&mut *to)
    .await?;
    if delivery.id.as_uuid().as_u128().is_multiple_of(100) {
        sqlx::query(
            "delete from delivery_rows where endpoint_id = ? and delivery_id <= (
               select delivery_id from (
                 select delivery_id from delivery_rows where endpoint_id = ?
                 order by delivery_id desc limit 1 offset ?) as oldest)",
        )
        .bind(&endpoint.as_bytes()[..])
        .bind(&endpoint.as_bytes()[..])
        .bind(DELIVERIES_MAX)
        .execute(to)
        .await?;
    }
    Ok(true)
}

/// Nobody is woken for an endpoint any more, and its log goes as well.
async fn forget(to: &mut MySqlConnection, endpoint_id: EndpointId) -> Result<bool, Failure> {
    for sql in [
        "delete from wake_rows where consumer = ?",
        "delete from delivery_rows where endpoint_id = ?",
    ] {
        sqlx::query(sql)
            .bind(&endpoint_id.as_uuid().as_bytes()[..])
            .execute(&mut *to)
            .await?;
    }
    Ok(true)
}

async fn record(
    to: &mut MySqlConnection,
    id: &RecordId,
    was: u32,
    body: Option<&[u8]>,
) -> Result<bool, Failure> {
    let (kind, name) = (id.kind.as_str(), &*id.id);
    let changed = match (was, body) {
        (0, Some(body)) => {
            let added = sqlx::query(
                "insert into record_rows (kind, id, version, body) values (?, ?, 1, ?)",
            )
            .bind(kind)
            .bind(name)
            .bind(body)
            .execute(to)
            .await;
            return match added {
                Err(error) if is_duplicate(&error) => Ok(false),
                added => Ok(added.map(|_| true)?),
            };
        }
        (was, Some(body)) => sqlx::query(
            "update record_rows set version = version + 1, body = ?
             where kind = ? and id = ? and version = ?",
        )
        .bind(body)
        .bind(kind)
        .bind(name)
        .bind(was),
        (was, None) => {
            sqlx::query("delete from record_rows where kind = ? and id = ? and version = ?")
                .bind(kind)
                .bind(name)
                .bind(was)
        }
    };
    Ok(changed.execute(to).await?.rows_affected() == 1)
}

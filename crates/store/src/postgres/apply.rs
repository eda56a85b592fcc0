//! One write set onto the open transaction: its claim, then its changes, guard by guard.
//!
//! Says what became of it; does not commit, roll back, or answer anyone.

use super::rows::{
    Columns, Id, account_code, aim_code, event_code, status_code, step_code, transfer_code,
    write_lines,
};
use super::{Failure, outbox, read};
use crate::Error;
use crate::write_sets::{DELIVERIES_MAX, ENDPOINTS_MAX, Subscriber, events_of, in_sequence, moves};
use domain::idempotency::{Body, Seen};
use domain::order::Failure as OrderFailure;
use domain::stock::Movement;
use domain::transfer::{Asset, Subject};
use domain::{
    Change, Claim, Consumer, Delivery, EndpointId, Event, LedgerEntry, Order, RecordId, Timestamp,
    Transfer, WriteSet,
};
use sqlx::PgConnection;

/// What became of a write set in the open transaction.
pub(super) enum Outcome {
    /// All of it is in the transaction.
    Done,
    /// Its key was taken.
    Seen(Box<Seen>),
    /// The guard of the change with this number failed.
    Refused(usize),
}

/// Puts a write set into the transaction, or finds out why not; then the caller rolls it back.
pub(super) async fn apply(to: &mut PgConnection, write_set: &WriteSet) -> Result<Outcome, Failure> {
    if let Some(claim) = &write_set.claim
        && !take(to, claim).await?
    {
        return Ok(Outcome::Seen(seen(to, claim).await?));
    }
    let subscribers = subscribers(to, &[write_set]).await?;
    for (number, change) in write_set.changes.iter().enumerate() {
        if !make(to, change, write_set, &subscribers).await? {
            return Ok(Outcome::Refused(number));
        }
    }
    Ok(Outcome::Done)
}

/// What stands where a key could not be taken.
pub(super) async fn seen(from: &mut PgConnection, claim: &Claim) -> Result<Box<Seen>, Failure> {
    let seen = read::seen(from, &claim.scope).await?;
    let seen = seen.ok_or_else(|| Error::Unavailable("the key was let go of".into()))?;
    Ok(Box::new(seen))
}

/// Takes a key; `false` where it is taken. A transaction that has just taken it is waited for.
async fn take(to: &mut PgConnection, claim: &Claim) -> Result<bool, Failure> {
    let (renderer, stored) = match &claim.reply.body {
        Body::Rendered(renderer) => (Some(i64::from(*renderer)), None),
        Body::Stored(bytes) => (None, Some(&**bytes)),
    };
    let taken = sqlx::query(
        "insert into key_rows (principal, operation, key, scheme, digest, status, renderer, reply,
           order_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (principal, operation, key) do update set scheme = excluded.scheme,
           digest = excluded.digest, status = excluded.status, renderer = excluded.renderer,
           reply = excluded.reply, order_id = excluded.order_id, created_at = excluded.created_at
         where key_rows.created_at < $11",
    )
    .bind(claim.scope.principal.as_str())
    .bind(i64::from(claim.scope.operation.code()))
    .bind(claim.scope.key.as_str())
    .bind(i64::from(claim.fingerprint.scheme))
    .bind(&claim.fingerprint.digest[..])
    .bind(i64::from(claim.reply.status))
    .bind(renderer)
    .bind(stored)
    .bind(claim.order_id.map(|id| Id(id.as_uuid())))
    .bind(claim.created_at.as_millis())
    .bind(claim.forget_before.as_millis())
    .execute(to)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Every endpoint that is told of something, where there is an event to tell.
pub(super) async fn subscribers(
    from: &mut PgConnection,
    write_sets: &[&WriteSet],
) -> Result<Vec<Subscriber>, Failure> {
    let tells = |change: &Change| matches!(change, Change::Event(_));
    if !write_sets.iter().any(|set| set.changes.iter().any(tells)) {
        return Ok(Vec::new());
    }
    let records = sqlx::query("select id, body from record_rows where kind = 'endpoint' limit $1")
        .bind(ENDPOINTS_MAX)
        .fetch_all(from)
        .await?;
    let mut subscribers = Vec::new();
    for record in &records {
        let (id, body) = (record.text(0)?, record.bytes(1)?);
        subscribers.extend(Subscriber::read(
            id.unwrap_or_default(),
            body.unwrap_or_default(),
        ));
    }
    Ok(subscribers)
}

/// Makes one change; `false` where its guard fails.
pub(super) async fn make(
    to: &mut PgConnection,
    change: &Change,
    write_set: &WriteSet,
    subscribers: &[Subscriber],
) -> Result<bool, Failure> {
    match change {
        Change::Place(order, entry) => place(to, order, entry).await,
        Change::Order { was, now } => move_on(to, *was, now, &events_of(write_set, now)).await,
        Change::Event(event) => {
            let written = match event.sequence {
                1 => insert_event(to, event).await?,
                // Written with the order that it belongs to.
                _ => moves(write_set, event),
            };
            for subscriber in subscribers {
                if subscriber.endpoint.wants(event.kind) {
                    let whom = outbox::consumer(Consumer::Announce(subscriber.id));
                    announce(to, whom, event).await?;
                }
            }
            Ok(written)
        }
        Change::Transfer(transfer) => add_transfer(to, transfer).await,
        Change::Stock(movement) => move_stock(to, movement).await,
        Change::Wake(wake) => outbox::wake(to, wake).await,
        Change::Settle(lease) => outbox::settle(to, lease).await,
        Change::Delay {
            lease,
            due_at,
            error,
        } => outbox::delay(to, lease, *due_at, error.as_deref()).await,
        Change::Delivered(delivery) => delivered(to, delivery).await,
        Change::Forget(endpoint_id) => forget(to, *endpoint_id).await,
        Change::Record { id, was, body } => record(to, id, *was, body.as_deref()).await,
    }
}

async fn place(to: &mut PgConnection, order: &Order, entry: &LedgerEntry) -> Result<bool, Failure> {
    let id = Id(order.id.as_uuid());
    let inserted = sqlx::query(
        "insert into order_rows (order_id, status, version, customer_id, customer_name, currency,
           total_minor, contract, fulfil, metadata, created_at, lines)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::json)
         on conflict do nothing",
    )
    .bind(id)
    .bind(status_code(order.status))
    .bind(i64::from(order.version))
    .bind(order.customer_id.as_ref().map(domain::CustomerId::as_str))
    .bind(order.customer_name.as_ref().map(domain::Name::as_str))
    .bind(order.currency.as_str())
    .bind(order.total_minor.as_minor())
    .bind(i64::from(order.contract.0))
    .bind(order.fulfil)
    .bind(order.metadata.as_deref())
    .bind(order.created_at.as_millis())
    .bind(write_lines(&order.lines))
    .execute(&mut *to)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "insert into ledger_rows (order_id, quantity, total_minor, currency, recorded_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(i64::from(entry.quantity))
    .bind(entry.total_minor.as_minor())
    .bind(entry.currency.as_str())
    .bind(order.created_at.as_millis())
    .execute(to)
    .await?;
    Ok(true)
}

/// Writes what can change of an order, and the events that it moves on by; `false` where its
/// version or its newest event is another.
async fn move_on(
    to: &mut PgConnection,
    was: u32,
    order: &Order,
    events: &[&Event],
) -> Result<bool, Failure> {
    if !in_sequence(events) {
        return Ok(false);
    }
    let progress = &order.progress;
    let failure = order.failure.as_ref().map(OrderFailure::to_json);
    let newest = events.last().map(|event| i64::from(event.sequence));
    let before = events.first().map(|event| i64::from(event.sequence) - 1);
    let updated = sqlx::query(
        "update order_rows set version = $3, status = $4, captured_minor = $5, refunded_minor = $6,
           label = $7, updated_at = $8, hidden_at = $9,
           newest_sequence = coalesce($10, newest_sequence), round = $11, step = $12, tries = $13,
           aim = $14, deadline_at = $15, failure = $16
         where order_id = $1 and version = $2
           and newest_sequence = coalesce($17, newest_sequence)",
    )
    .bind(Id(order.id.as_uuid()))
    .bind(i64::from(was))
    .bind(i64::from(order.version))
    .bind(status_code(order.status))
    .bind(order.captured_minor.as_minor())
    .bind(order.refunded_minor.as_minor())
    .bind(order.label.as_ref().map(domain::text::Label::as_str))
    .bind(order.updated_at.as_millis())
    .bind(order.hidden_at.map(Timestamp::as_millis))
    .bind(newest)
    .bind(i64::from(progress.round))
    .bind(progress.step.map(step_code))
    .bind(i64::from(progress.tries))
    .bind(aim_code(progress.aim))
    .bind(progress.deadline_at.map(Timestamp::as_millis))
    .bind(failure.map(|failure| failure.to_string()))
    .bind(before)
    .execute(&mut *to)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(false);
    }
    for event in events {
        if !insert_event(to, event).await? {
            let what = format!("event {} is there already", event.id);
            return Err(Error::Corrupt(what).into());
        }
    }
    Ok(true)
}

async fn insert_event(to: &mut PgConnection, event: &Event) -> Result<bool, Failure> {
    let inserted = sqlx::query(
        "insert into event_rows (order_id, sequence, event_id, kind, payload, occurred_at,
           traceparent)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
    )
    .bind(Id(event.order_id.as_uuid()))
    .bind(i64::from(event.sequence))
    .bind(Id(event.id.as_uuid()))
    .bind(event_code(event.kind))
    .bind(event.payload.as_deref())
    .bind(event.occurred_at.as_millis())
    .bind(event.traceparent.as_deref())
    .execute(to)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Wakes an endpoint that is to be told of an event. One that is under way or waits for its next
/// try goes on as it would.
pub(super) async fn announce(
    to: &mut PgConnection,
    whom: Id,
    event: &Event,
) -> Result<(), Failure> {
    sqlx::query(
        "insert into wake_rows as w (consumer, order_id, since, head, due_at)
         values ($1, $2, $3, $3, $4)
         on conflict (consumer, order_id) do update set head = greatest(w.head, excluded.head)",
    )
    .bind(whom)
    .bind(Id(event.order_id.as_uuid()))
    .bind(i64::from(event.sequence))
    .bind(event.occurred_at.as_millis())
    .execute(to)
    .await?;
    Ok(())
}

/// Adds a transfer; `false` where one with its number is there.
async fn add_transfer(to: &mut PgConnection, transfer: &Transfer) -> Result<bool, Failure> {
    let subject = match transfer.subject {
        Subject::Order(id) => id.as_uuid(),
        Subject::Adjustment(id) => id,
    };
    let (kind, pending) = transfer_code(transfer.kind);
    let item_id = match &transfer.asset {
        Asset::Money(_) => None,
        Asset::Item(item_id) => Some(item_id.as_str()),
    };
    let added = sqlx::query(
        "insert into transfer_rows (subject, number, kind, pending_number, item_id, debit, credit,
           amount, reason, occurred_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict do nothing",
    )
    .bind(Id(subject))
    .bind(i64::from(transfer.number))
    .bind(kind)
    .bind(pending.map(i64::from))
    .bind(item_id)
    .bind(account_code(transfer.debit))
    .bind(account_code(transfer.credit))
    .bind(transfer.amount.cast_signed())
    .bind(transfer.reason.as_deref())
    .bind(transfer.occurred_at.as_millis())
    .execute(to)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Moves stock; `false` where there is not enough. What was never counted starts from nothing.
async fn move_stock(to: &mut PgConnection, movement: &Movement) -> Result<bool, Failure> {
    let was = movement.was.map(u64::cast_signed);
    let moved = sqlx::query(
        "update stock_rows set on_hand = on_hand + $2, reserved = reserved + $3
         where item_id = $1 and reserved + $3 between 0 and on_hand + $2
           and on_hand = coalesce($4, on_hand)",
    )
    .bind(movement.item_id.as_str())
    .bind(movement.on_hand)
    .bind(movement.reserved)
    .bind(was)
    .execute(&mut *to)
    .await?;
    if moved.rows_affected() == 1 {
        return Ok(true);
    }
    if movement.reserved != 0 || movement.on_hand < 0 || was.is_some() {
        return Ok(false);
    }
    let begun = sqlx::query(
        "insert into stock_rows (item_id, on_hand, reserved) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(movement.item_id.as_str())
    .bind(movement.on_hand)
    .bind(movement.reserved)
    .execute(to)
    .await?;
    Ok(begun.rows_affected() == 1)
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

//! The statement that writes all rows of a kind at once.

use super::list;
use super::outbox::consumer;
use super::rows::{
    Id, account_code, aim_code, event_code, number, status_code, step_code, transfer_code,
    write_lines,
};
use crate::server::{At, Failure, Rows, missing, unless_there};
use domain::order::Failure as OrderFailure;
use domain::transfer::{Asset, Subject};
use domain::{Consumer, CustomerId, Name, Order, Timestamp, Transfer, Wake, text::Label};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::{BTreeSet, HashSet};

/// Writes them all; those whose guard failed.
pub(super) async fn write(to: &mut PgConnection, rows: &Rows<'_>) -> Result<BTreeSet<At>, Failure> {
    let mut wrong = BTreeSet::new();
    wrong.extend(move_on(to, rows).await?);
    wrong.extend(move_stock(to, rows).await?);
    wrong.extend(settle(to, rows).await?);
    wrong.extend(delay(to, rows).await?);
    // Whoever is late is known by now: what is added is there only if an id came twice. That ends
    // the transaction, and costs a third less than asking `on conflict` for each row.
    if wrong.is_empty() {
        wrong.extend(place(to, rows).await?);
    }
    if wrong.is_empty() {
        wrong.extend(add_events(to, rows).await?);
    }
    if wrong.is_empty() {
        wrong.extend(add_transfers(to, rows).await?);
    }
    if wrong.is_empty() {
        tell(to, rows).await?;
        wake_first(to, &rows.first_wakes).await?;
        wake(to, &rows.wakes).await?;
    }
    Ok(wrong)
}

/// One statement, since an entry is written where its order is.
async fn place(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let new = &rows.placed;
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let placed = sqlx::query(
        "with new as (
           select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
             $6::text[], $7::bigint[], $8::bigint[], $9::bool[], $10::text[], $11::bigint[],
             $12::text[], $13::bigint[], $14::bigint[], $15::text[], $16::text[])
             as new (order_id, status, version, customer_id, customer_name, currency, total_minor,
               contract, fulfil, metadata, created_at, lines, quantity, entry_total_minor,
               entry_currency, trace)
         ), placed as (
           insert into order_rows (order_id, status, version, customer_id, customer_name, currency,
             total_minor, contract, fulfil, metadata, created_at, lines, trace)
           select order_id, status, version, customer_id, customer_name, currency, total_minor,
             contract, fulfil, metadata, created_at, lines::json, trace
           from new
         )
         insert into ledger_rows (order_id, quantity, total_minor, currency, recorded_at)
         select order_id, quantity, entry_total_minor, entry_currency, created_at from new",
    )
    .bind(list(new, |it| Id(it.1.id.as_uuid())))
    .bind(list(new, |it| status_code(it.1.status)))
    .bind(list(new, |it| i64::from(it.1.version)))
    .bind(list(new, |it| {
        it.1.customer_id.as_ref().map(CustomerId::as_str)
    }))
    .bind(list(new, |it| {
        it.1.customer_name.as_ref().map(Name::as_str)
    }))
    .bind(list(new, |it| it.1.currency.as_str().to_owned()))
    .bind(list(new, |it| it.1.total_minor.as_minor()))
    .bind(list(new, |it| i64::from(it.1.contract.0)))
    .bind(list(new, |it| it.1.fulfil))
    .bind(list(new, |it| it.1.metadata.as_deref()))
    .bind(list(new, |it| it.1.created_at.as_millis()))
    .bind(list(new, |it| write_lines(&it.1.lines)))
    .bind(list(new, |it| i64::from(it.2.quantity)))
    .bind(list(new, |it| it.2.total_minor.as_minor()))
    .bind(list(new, |it| it.2.currency.as_str().to_owned()))
    .bind(list(new, |it| it.1.trace.map(|trace| trace.to_string())))
    .execute(to)
    .await;
    unless_there(placed, new.iter().map(|it| it.0))
}

async fn move_on(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let moved = &rows.moved;
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let failure = |order: &Order| {
        let failure = order.failure.as_ref().map(OrderFailure::to_json);
        failure.map(|failure| failure.to_string())
    };
    let written = sqlx::query(
        "update order_rows as o set version = new.version, status = new.status,
           captured_minor = new.captured, refunded_minor = new.refunded, label = new.label,
           updated_at = new.updated_at, hidden_at = new.hidden_at,
           newest_sequence = coalesce(new.newest, o.newest_sequence), round = new.round,
           step = new.step, tries = new.tries, aim = new.aim, deadline_at = new.deadline_at,
           failure = new.failure
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
           $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
           $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[],
           $17::bigint[]) with ordinality
           as new (order_id, was, version, status, captured, refunded, label, updated_at,
             hidden_at, newest, round, step, tries, aim, deadline_at, failure, before, number)
         where o.order_id = new.order_id and o.version = new.was
           and o.newest_sequence = coalesce(new.before, o.newest_sequence)
         returning new.number",
    )
    .bind(list(moved, |it| Id(it.now.id.as_uuid())))
    .bind(list(moved, |it| i64::from(it.was)))
    .bind(list(moved, |it| i64::from(it.now.version)))
    .bind(list(moved, |it| status_code(it.now.status)))
    .bind(list(moved, |it| it.now.captured_minor.as_minor()))
    .bind(list(moved, |it| it.now.refunded_minor.as_minor()))
    .bind(list(moved, |it| it.now.label.as_ref().map(Label::as_str)))
    .bind(list(moved, |it| it.now.updated_at.as_millis()))
    .bind(list(moved, |it| it.now.hidden_at.map(Timestamp::as_millis)))
    .bind(list(moved, |it| it.newest.map(i64::from)))
    .bind(list(moved, |it| i64::from(it.now.progress.round)))
    .bind(list(moved, |it| it.now.progress.step.map(step_code)))
    .bind(list(moved, |it| i64::from(it.now.progress.tries)))
    .bind(list(moved, |it| aim_code(it.now.progress.aim)))
    .bind(list(moved, |it| {
        it.now.progress.deadline_at.map(Timestamp::as_millis)
    }))
    .bind(list(moved, |it| failure(it.now)))
    .bind(list(moved, |it| it.before.map(i64::from)))
    .fetch_all(to)
    .await?;
    not_in(&written, moved.iter().map(|it| it.at))
}

async fn add_events(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let events = &rows.events;
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let added = sqlx::query(
        "insert into event_rows (order_id, sequence, event_id, kind, payload, occurred_at,
           traceparent)
         select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::text[],
           $6::bigint[], $7::text[])",
    )
    .bind(list(events, |it| Id(it.1.order_id.as_uuid())))
    .bind(list(events, |it| it.1.sequence.cast_signed()))
    .bind(list(events, |it| Id(it.1.id.as_uuid())))
    .bind(list(events, |it| event_code(it.1.kind)))
    .bind(list(events, |it| it.1.payload.as_deref()))
    .bind(list(events, |it| it.1.occurred_at.as_millis()))
    .bind(list(events, |it| {
        it.1.traceparent.map(|trace| trace.to_string())
    }))
    .execute(to)
    .await;
    unless_there(added, events.iter().map(|it| it.0))
}

async fn add_transfers(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let transfers = &rows.transfers;
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let subject = |transfer: &Transfer| match transfer.subject {
        Subject::Order(id) => Id(id.as_uuid()),
        Subject::Adjustment(id) => Id(id),
    };
    let item = |asset| match asset {
        &Asset::Money(_) => None,
        Asset::Item(item_id) => Some(item_id.as_str()),
    };
    let added = sqlx::query(
        "insert into transfer_rows (subject, number, kind, pending_number, item_id, debit, credit,
           amount, reason, occurred_at)
         select subject, number, kind, pending, item_id, debit, credit, amount, reason, occurred_at
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[],
           $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[])
           as new (subject, number, kind, pending, item_id, debit, credit, amount, reason,
             occurred_at)",
    )
    .bind(list(transfers, |it| subject(it.1)))
    .bind(list(transfers, |it| i64::from(it.1.number)))
    .bind(list(transfers, |it| transfer_code(it.1.kind).0))
    .bind(list(transfers, |it| {
        transfer_code(it.1.kind).1.map(i64::from)
    }))
    .bind(list(transfers, |it| item(&it.1.asset)))
    .bind(list(transfers, |it| account_code(it.1.debit)))
    .bind(list(transfers, |it| account_code(it.1.credit)))
    .bind(list(transfers, |it| it.1.amount.cast_signed()))
    .bind(list(transfers, |it| it.1.reason.as_deref()))
    .bind(list(transfers, |it| it.1.occurred_at.as_millis()))
    .execute(to)
    .await;
    unless_there(added, transfers.iter().map(|it| it.0))
}

/// What was never counted starts from nothing, where something comes to it.
async fn move_stock(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let stock = &rows.stock;
    if stock.is_empty() {
        return Ok(Vec::new());
    }
    let moved = sqlx::query(
        "with new as (
           select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
             with ordinality as new (item_id, on_hand, reserved, was, number)
         ), locked as (
           -- In one order whoever comes, so that nobody waits for each other.
           select item_id from stock_rows where item_id in (select item_id from new)
           order by item_id for update
         ), moved as (
           update stock_rows as s
           set on_hand = s.on_hand + new.on_hand, reserved = s.reserved + new.reserved
           from new join locked using (item_id)
           where s.item_id = new.item_id
             and s.reserved + new.reserved between 0 and s.on_hand + new.on_hand
             and s.on_hand = coalesce(new.was, s.on_hand)
           returning new.number
         ), begun as (
           insert into stock_rows (item_id, on_hand, reserved)
           select item_id, on_hand, 0 from new
           where on_hand >= 0 and reserved = 0 and was is null
             and item_id not in (select item_id from locked)
           on conflict do nothing
           returning item_id
         )
         select number from moved
         union all
         select number from begun join new using (item_id)",
    )
    .bind(list(stock, |it| it.1.item_id.as_str()))
    .bind(list(stock, |it| it.1.on_hand))
    .bind(list(stock, |it| it.1.reserved))
    .bind(list(stock, |it| it.1.was.map(u64::cast_signed)))
    .fetch_all(to)
    .await?;
    not_in(&moved, stock.iter().map(|it| it.0))
}

/// Wakes the endpoints that are to be told of events.
async fn tell(to: &mut PgConnection, rows: &Rows<'_>) -> Result<(), Failure> {
    if rows.told.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = rows.told.iter().collect();
    sqlx::query(
        "insert into wake_rows as w (consumer, order_id, since, head, due_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint[])
         on conflict (consumer, order_id) do update set head = greatest(w.head, excluded.head)",
    )
    .bind(list(&told, |it| consumer(Consumer::Announce(it.0.0))))
    .bind(list(&told, |it| Id(it.0.1.as_uuid())))
    .bind(list(&told, |it| it.1.since.cast_signed()))
    .bind(list(&told, |it| it.1.head.cast_signed()))
    .bind(list(&told, |it| it.1.due_at.as_millis()))
    .execute(to)
    .await?;
    Ok(())
}

async fn wake_first(to: &mut PgConnection, wakes: &[&Wake]) -> Result<(), Failure> {
    let sql = "insert into wake_rows (consumer, order_id, since, head, due_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint[])";
    add_wakes(to, sql, wakes).await
}

async fn wake(to: &mut PgConnection, wakes: &[&Wake]) -> Result<(), Failure> {
    let sql = "insert into wake_rows as w (consumer, order_id, since, head, due_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint[])
         on conflict (consumer, order_id) do update set head = greatest(w.head, excluded.head),
           since = least(w.since, excluded.since), due_at = least(w.due_at, excluded.due_at)";
    add_wakes(to, sql, wakes).await
}

async fn add_wakes(
    to: &mut PgConnection,
    sql: &'static str,
    wakes: &[&Wake],
) -> Result<(), Failure> {
    if wakes.is_empty() {
        return Ok(());
    }
    sqlx::query(sql)
        .bind(list(wakes, |it| consumer(it.consumer)))
        .bind(list(wakes, |it| Id(it.subject.as_uuid())))
        .bind(list(wakes, |it| it.since.cast_signed()))
        .bind(list(wakes, |it| it.head.cast_signed()))
        .bind(list(wakes, |it| it.due_at.as_millis()))
        .execute(to)
        .await?;
    Ok(())
}

async fn settle(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let settled = &rows.settled;
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let written = sqlx::query(
        "delete from wake_rows as w
         using unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) with ordinality
           as done (consumer, order_id, attempt, head, number)
         where w.consumer = done.consumer and w.order_id = done.order_id
           and w.attempt = done.attempt and w.received > 0 and w.head = done.head
         returning done.number",
    )
    .bind(list(settled, |it| consumer(it.1.consumer)))
    .bind(list(settled, |it| Id(it.1.subject.as_uuid())))
    .bind(list(settled, |it| i64::from(it.1.attempt)))
    .bind(list(settled, |it| i64::from(it.1.head)))
    .fetch_all(to)
    .await?;
    not_in(&written, settled.iter().map(|it| it.0))
}

async fn delay(to: &mut PgConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let delayed = &rows.delayed;
    if delayed.is_empty() {
        return Ok(Vec::new());
    }
    let written = sqlx::query(
        "update wake_rows as w set due_at = new.due_at,
           received = coalesce(new.received, w.received),
           last_error = case when new.received is null then w.last_error else new.error end,
           since = case when new.received is null then w.since else new.since end,
           tries = case when new.received is null then w.tries else new.tries end
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[],
           $6::text[], $7::bigint[], $8::bigint[]) with ordinality
           as new (consumer, order_id, attempt, due_at, received, error, since, tries, number)
         where w.consumer = new.consumer and w.order_id = new.order_id
           and w.attempt = new.attempt and w.received > 0
         returning new.number",
    )
    .bind(list(delayed, |it| consumer(it.1.consumer)))
    .bind(list(delayed, |it| Id(it.1.subject.as_uuid())))
    .bind(list(delayed, |it| i64::from(it.1.attempt)))
    .bind(list(delayed, |it| it.2.as_millis()))
    .bind(list(delayed, |it| it.3.received().map(i64::from)))
    .bind(list(delayed, |it| it.3.error()))
    .bind(list(delayed, |it| i64::from(it.1.since)))
    .bind(list(delayed, |it| i64::from(it.1.tries)))
    .fetch_all(to)
    .await?;
    not_in(&written, delayed.iter().map(|it| it.0))
}

/// Those of `all` of whom no row has the number, from 1.
fn not_in(rows: &[PgRow], all: impl ExactSizeIterator<Item = At>) -> Result<Vec<At>, Failure> {
    if rows.len() == all.len() {
        return Ok(Vec::new());
    }
    let numbers = rows.iter().map(|row| number(row, 0, "number"));
    let written = numbers.collect::<Result<HashSet<usize>, _>>()?;
    Ok(missing(all, &written).collect())
}

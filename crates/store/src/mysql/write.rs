//! The statement that writes all rows of a kind at once.
//!
//! This engine does not say which rows a statement has changed. What may be stale is looked at, and
//! locked, before it is written.

use super::rows::{
    account_code, aim_code, event_code, id, json, number, status_code, step_code, transfer_code,
    write_lines,
};
use crate::server::{At, Failure, Rows, missing, unless_there};
use domain::order::Failure as OrderFailure;
use domain::stock::Movement;
use domain::text::Label;
use domain::transfer::{Asset, Subject};
use domain::{Consumer, CustomerId, Lease, Name, Order, Timestamp, Transfer, Wake};
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlRow;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Writes them all; those whose guard failed.
pub(super) async fn write(
    to: &mut MySqlConnection,
    rows: &Rows<'_>,
) -> Result<BTreeSet<At>, Failure> {
    let mut wrong = BTreeSet::new();
    wrong.extend(place(to, rows).await?);
    wrong.extend(move_on(to, rows).await?);
    wrong.extend(add_events(to, rows).await?);
    wrong.extend(add_transfers(to, rows).await?);
    wrong.extend(move_stock(to, rows).await?);
    tell(to, rows).await?;
    wake_first(to, &rows.first_wakes).await?;
    wake(to, &rows.wakes).await?;
    wrong.extend(settle(to, rows).await?);
    wrong.extend(delay(to, rows).await?);
    Ok(wrong)
}

async fn place(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let new = &rows.placed;
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let orders = json(new, |(_, order, _)| {
        (
            id(order.id.as_uuid()),
            status_code(order.status),
            order.version,
            order.customer_id.as_ref().map(CustomerId::as_str),
            order.customer_name.as_ref().map(Name::as_str),
            order.currency.as_str().to_owned(),
            order.total_minor.as_minor(),
            order.contract.0,
            i64::from(order.fulfil),
            order.metadata.as_deref(),
            order.created_at.as_millis(),
            write_lines(&order.lines),
            order.trace.map(|trace| trace.to_string()),
        )
    });
    let placed = sqlx::query(
        "insert into order_rows (order_id, status, version, customer_id, customer_name, currency,
           total_minor, contract, fulfil, metadata, created_at, `lines`, trace)
         select unhex(order_id), status, version, customer_id, customer_name, currency,
           total_minor, contract, fulfil, metadata, created_at, order_lines, trace
         from json_table(?, '$[*]' columns (order_id char(32) path '$[0]',
           status smallint path '$[1]', version int path '$[2]',
           customer_id varchar(128) path '$[3]', customer_name varchar(200) path '$[4]',
           currency char(3) path '$[5]', total_minor bigint path '$[6]',
           contract smallint path '$[7]', fulfil smallint path '$[8]',
           metadata mediumtext path '$[9]', created_at bigint path '$[10]',
           order_lines mediumtext path '$[11]', trace varchar(64) path '$[12]')) as new",
    )
    .bind(orders)
    .execute(&mut *to)
    .await;
    let refused = unless_there(placed, new.iter().map(|it| it.0))?;
    if !refused.is_empty() {
        return Ok(refused);
    }
    let entries = json(new, |(_, order, entry)| {
        (
            id(order.id.as_uuid()),
            entry.quantity,
            entry.total_minor.as_minor(),
            entry.currency.as_str().to_owned(),
            order.created_at.as_millis(),
        )
    });
    let added = sqlx::query(
        "insert into ledger_rows (order_id, quantity, total_minor, currency, recorded_at)
         select unhex(order_id), quantity, total_minor, currency, recorded_at
         from json_table(?, '$[*]' columns (order_id char(32) path '$[0]',
           quantity bigint path '$[1]', total_minor bigint path '$[2]',
           currency char(3) path '$[3]', recorded_at bigint path '$[4]')) as new",
    )
    .bind(entries)
    .execute(to)
    .await;
    unless_there(added, new.iter().map(|it| it.0))
}

async fn move_on(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let moved = &rows.moved;
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let from = json(moved, |it| (id(it.now.id.as_uuid()), it.was, it.before));
    let current = sqlx::query(
        "select new.number
         from json_table(?, '$[*]' columns (number for ordinality, order_id char(32) path '$[0]',
             was int path '$[1]', newest_before int path '$[2]')) as new
           straight_join order_rows as o force index (primary)
             on o.order_id = unhex(new.order_id) and o.version = new.was
               and o.newest_sequence = coalesce(new.newest_before, o.newest_sequence)
         for update",
    )
    .bind(from)
    .fetch_all(&mut *to)
    .await?;
    let stale = not_in(&current, moved.iter().map(|it| it.at))?;
    if !stale.is_empty() {
        return Ok(stale);
    }
    let failure = |order: &Order| {
        let failure = order.failure.as_ref().map(OrderFailure::to_json);
        failure.map(|failure| failure.to_string())
    };
    let changed = json(moved, |it| {
        (
            id(it.now.id.as_uuid()),
            it.now.version,
            status_code(it.now.status),
            it.now.captured_minor.as_minor(),
            it.now.refunded_minor.as_minor(),
            it.now.label.as_ref().map(Label::as_str),
            it.now.updated_at.as_millis(),
            it.now.hidden_at.map(Timestamp::as_millis),
            it.newest,
            it.now.progress.round,
            it.now.progress.step.map(step_code),
            it.now.progress.tries,
            aim_code(it.now.progress.aim),
            it.now.progress.deadline_at.map(Timestamp::as_millis),
            failure(it.now),
        )
    });
    sqlx::query(
        "update json_table(?, '$[*]' columns (order_id char(32) path '$[0]',
             version int path '$[1]', status smallint path '$[2]', captured bigint path '$[3]',
             refunded bigint path '$[4]', label varchar(20) path '$[5]',
             updated_at bigint path '$[6]', hidden_at bigint path '$[7]',
             newest int path '$[8]', round int path '$[9]', step smallint path '$[10]',
             tries int path '$[11]', aim smallint path '$[12]', deadline_at bigint path '$[13]',
             failure text path '$[14]')) as new
           straight_join order_rows as o force index (primary)
             on o.order_id = unhex(new.order_id)
         set o.version = new.version, o.status = new.status, o.captured_minor = new.captured,
           o.refunded_minor = new.refunded, o.label = new.label, o.updated_at = new.updated_at,
           o.hidden_at = new.hidden_at,
           o.newest_sequence = coalesce(new.newest, o.newest_sequence), o.round = new.round,
           o.step = new.step, o.tries = new.tries, o.aim = new.aim,
           o.deadline_at = new.deadline_at, o.failure = new.failure",
    )
    .bind(changed)
    .execute(to)
    .await?;
    Ok(Vec::new())
}

async fn add_events(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let events = &rows.events;
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let new = json(events, |(_, event)| {
        (
            id(event.order_id.as_uuid()),
            event.sequence,
            id(event.id.as_uuid()),
            event_code(event.kind),
            event.payload.as_deref(),
            event.occurred_at.as_millis(),
            event.traceparent.map(|trace| trace.to_string()),
        )
    });
    let added = sqlx::query(
        "insert into event_rows (order_id, sequence, event_id, kind, payload, occurred_at,
           traceparent)
         select unhex(order_id), sequence, unhex(event_id), kind, payload, occurred_at,
           traceparent
         from json_table(?, '$[*]' columns (order_id char(32) path '$[0]',
           sequence int path '$[1]', event_id char(32) path '$[2]', kind smallint path '$[3]',
           payload mediumtext path '$[4]', occurred_at bigint path '$[5]',
           traceparent varchar(64) path '$[6]')) as new",
    )
    .bind(new)
    .execute(to)
    .await;
    unless_there(added, events.iter().map(|it| it.0))
}

async fn add_transfers(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let transfers = &rows.transfers;
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let subject = |transfer: &Transfer| match transfer.subject {
        Subject::Order(id) => id.as_uuid(),
        Subject::Adjustment(id) => id,
    };
    let new = json(transfers, |(_, transfer)| {
        let (kind, pending) = transfer_code(transfer.kind);
        let item_id = match &transfer.asset {
            Asset::Money(_) => None,
            Asset::Item(item_id) => Some(item_id.as_str()),
        };
        (
            id(subject(transfer)),
            transfer.number,
            kind,
            pending,
            item_id,
            account_code(transfer.debit),
            account_code(transfer.credit),
            transfer.amount,
            transfer.reason.as_deref(),
            transfer.occurred_at.as_millis(),
        )
    });
    let added = sqlx::query(
        "insert into transfer_rows (subject, number, kind, pending_number, item_id, debit, credit,
           amount, reason, occurred_at)
         select unhex(subject), number, kind, pending_number, item_id, debit, credit, amount,
           reason, occurred_at
         from json_table(?, '$[*]' columns (subject char(32) path '$[0]', number int path '$[1]',
           kind smallint path '$[2]', pending_number int path '$[3]',
           item_id varchar(128) path '$[4]', debit smallint path '$[5]',
           credit smallint path '$[6]', amount bigint path '$[7]', reason text path '$[8]',
           occurred_at bigint path '$[9]')) as new",
    )
    .bind(new)
    .execute(to)
    .await;
    unless_there(added, transfers.iter().map(|it| it.0))
}

/// What was never counted starts from nothing, where something comes to it.
async fn move_stock(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let mut stock: Vec<(At, &Movement)> = rows.stock.clone();
    if stock.is_empty() {
        return Ok(Vec::new());
    }
    // In one order whoever comes, so that nobody waits for each other.
    stock.sort_by_key(|(_, movement)| movement.item_id.as_str());
    let there = sqlx::query(
        "select new.number, s.on_hand, s.reserved
         from json_table(?, '$[*]' columns (number for ordinality,
             item_id varchar(128) path '$[0]')) as new
           straight_join stock_rows as s force index (primary) on s.item_id = new.item_id
         for update",
    )
    .bind(json(&stock, |it| (it.1.item_id.as_str(),)))
    .fetch_all(&mut *to)
    .await?;
    let mut counted: HashMap<usize, (i64, i64)> = HashMap::new();
    for row in &there {
        let figures = (number(row, 1, "on_hand")?, number(row, 2, "reserved")?);
        counted.insert(number::<_, usize>(row, 0, "number")? - 1, figures);
    }
    let numbered = stock.iter().enumerate();
    let refused: Vec<At> = numbered
        .filter(|(number, (_, movement))| !holds(movement, counted.get(number)))
        .map(|(_, (at, _))| *at)
        .collect();
    if !refused.is_empty() {
        return Ok(refused);
    }
    let (moved, begun): (Vec<_>, Vec<_>) = stock
        .iter()
        .enumerate()
        .partition(|(number, _)| counted.contains_key(number));
    let rows = |stock: &[(usize, &(At, &Movement))]| {
        json(stock, |(_, (_, movement))| {
            (
                movement.item_id.as_str(),
                movement.on_hand,
                movement.reserved,
            )
        })
    };
    if !moved.is_empty() {
        sqlx::query(
            "update json_table(?, '$[*]' columns (item_id varchar(128) path '$[0]',
                 on_hand bigint path '$[1]', reserved bigint path '$[2]')) as new
               straight_join stock_rows as s force index (primary) on s.item_id = new.item_id
             set s.on_hand = s.on_hand + new.on_hand, s.reserved = s.reserved + new.reserved",
        )
        .bind(rows(&moved))
        .execute(&mut *to)
        .await?;
    }
    if !begun.is_empty() {
        sqlx::query(
            "insert into stock_rows (item_id, on_hand, reserved)
             select item_id, on_hand, reserved
             from json_table(?, '$[*]' columns (item_id varchar(128) path '$[0]',
               on_hand bigint path '$[1]', reserved bigint path '$[2]')) as new",
        )
        .bind(rows(&begun))
        .execute(to)
        .await?;
    }
    Ok(Vec::new())
}

/// Whether stock may move, from what is on hand and held of it; `None`: it was never counted.
fn holds(movement: &Movement, counted: Option<&(i64, i64)>) -> bool {
    let Some((on_hand, reserved)) = counted else {
        return movement.reserved == 0 && movement.on_hand >= 0 && movement.was.is_none();
    };
    let as_expected = movement.was.is_none_or(|was| was.cast_signed() == *on_hand);
    let on_hand = on_hand.checked_add(movement.on_hand);
    let reserved = reserved.checked_add(movement.reserved);
    let fits = |(on_hand, reserved)| (0..=on_hand).contains(&reserved);
    as_expected && on_hand.zip(reserved).is_some_and(fits)
}

/// Wakes the endpoints that are to be told of events.
async fn tell(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<(), Failure> {
    if rows.told.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = rows.told.iter().collect();
    let new = json(&told, |((endpoint_id, order_id), told)| {
        (
            id(endpoint_id.as_uuid()),
            id(order_id.as_uuid()),
            told.since,
            told.head,
            told.due_at.as_millis(),
        )
    });
    sqlx::query(
        "insert into wake_rows (consumer, order_id, since, head, due_at)
         select unhex(new.consumer), unhex(new.order_id), new.since, new.head, new.due_at
         from json_table(?, '$[*]' columns (consumer char(32) path '$[0]',
           order_id char(32) path '$[1]', since int path '$[2]', head int path '$[3]',
           due_at bigint path '$[4]')) as new
         on duplicate key update head = greatest(wake_rows.head, new.head)",
    )
    .bind(new)
    .execute(to)
    .await?;
    Ok(())
}

async fn wake_first(to: &mut MySqlConnection, wakes: &[&Wake]) -> Result<(), Failure> {
    let sql = "insert into wake_rows (consumer, order_id, since, head, due_at)
         select unhex(new.consumer), unhex(new.order_id), new.since, new.head, new.due_at
         from json_table(?, '$[*]' columns (consumer char(32) path '$[0]',
           order_id char(32) path '$[1]', since int path '$[2]', head int path '$[3]',
           due_at bigint path '$[4]')) as new";
    add_wakes(to, sql, wakes).await
}

async fn wake(to: &mut MySqlConnection, wakes: &[&Wake]) -> Result<(), Failure> {
    let sql = "insert into wake_rows (consumer, order_id, since, head, due_at)
         select unhex(new.consumer), unhex(new.order_id), new.since, new.head, new.due_at
         from json_table(?, '$[*]' columns (consumer char(32) path '$[0]',
           order_id char(32) path '$[1]', since int path '$[2]', head int path '$[3]',
           due_at bigint path '$[4]')) as new
         on duplicate key update head = greatest(wake_rows.head, new.head),
           since = least(wake_rows.since, new.since), due_at = least(wake_rows.due_at, new.due_at)";
    add_wakes(to, sql, wakes).await
}

async fn add_wakes(
    to: &mut MySqlConnection,
    sql: &'static str,
    wakes: &[&Wake],
) -> Result<(), Failure> {
    if wakes.is_empty() {
        return Ok(());
    }
    let new = json(wakes, |wake| {
        (
            id(consumer(wake.consumer)),
            id(wake.subject.as_uuid()),
            wake.since,
            wake.head,
            wake.due_at.as_millis(),
        )
    });
    sqlx::query(sql).bind(new).execute(to).await?;
    Ok(())
}

async fn settle(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let settled = &rows.settled;
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let held = held(to, settled.iter().map(|it| (it.1, Some(it.1.head)))).await?;
    let stale = not_in(&held, settled.iter().map(|it| it.0))?;
    if !stale.is_empty() {
        return Ok(stale);
    }
    sqlx::query(
        "delete w
         from json_table(?, '$[*]' columns (consumer char(32) path '$[0]',
             order_id char(32) path '$[1]')) as done
           straight_join wake_rows as w force index (primary)
             on w.consumer = unhex(done.consumer) and w.order_id = unhex(done.order_id)",
    )
    .bind(json(settled, |(_, lease)| {
        (id(consumer(lease.consumer)), id(lease.subject.as_uuid()))
    }))
    .execute(to)
    .await?;
    Ok(Vec::new())
}

async fn delay(to: &mut MySqlConnection, rows: &Rows<'_>) -> Result<Vec<At>, Failure> {
    let delayed = &rows.delayed;
    if delayed.is_empty() {
        return Ok(Vec::new());
    }
    let held = held(to, delayed.iter().map(|it| (it.1, None))).await?;
    let stale = not_in(&held, delayed.iter().map(|it| it.0))?;
    if !stale.is_empty() {
        return Ok(stale);
    }
    sqlx::query(
        "update json_table(?, '$[*]' columns (consumer char(32) path '$[0]',
             order_id char(32) path '$[1]', due_at bigint path '$[2]', received int path '$[3]',
             error text path '$[4]', since int path '$[5]', tries int path '$[6]')) as new
           straight_join wake_rows as w force index (primary)
             on w.consumer = unhex(new.consumer) and w.order_id = unhex(new.order_id)
         set w.due_at = new.due_at, w.received = coalesce(new.received, w.received),
           w.last_error = if(new.received is null, w.last_error, new.error),
           w.since = if(new.received is null, w.since, new.since),
           w.tries = if(new.received is null, w.tries, new.tries)",
    )
    .bind(json(delayed, |(_, lease, due_at, how)| {
        (
            id(consumer(lease.consumer)),
            id(lease.subject.as_uuid()),
            due_at.as_millis(),
            how.received(),
            how.error(),
            lease.since,
            lease.tries,
        )
    }))
    .execute(to)
    .await?;
    Ok(Vec::new())
}

/// The numbers of the leases that are still whose they were, and up to where they were.
async fn held<'l>(
    to: &mut MySqlConnection,
    leases: impl Iterator<Item = (&'l Lease, Option<u32>)>,
) -> Result<Vec<MySqlRow>, Failure> {
    let leases: Vec<(&Lease, Option<u32>)> = leases.collect();
    let rows = sqlx::query(
        "select done.number
         from json_table(?, '$[*]' columns (number for ordinality,
             consumer char(32) path '$[0]', order_id char(32) path '$[1]',
             attempt int path '$[2]', head int path '$[3]')) as done
           straight_join wake_rows as w force index (primary)
             on w.consumer = unhex(done.consumer) and w.order_id = unhex(done.order_id)
               and w.attempt = done.attempt and w.received > 0
               and w.head = coalesce(done.head, w.head)
         for update",
    )
    .bind(json(&leases, |(lease, head)| {
        (
            id(consumer(lease.consumer)),
            id(lease.subject.as_uuid()),
            lease.attempt,
            *head,
        )
    }))
    .fetch_all(to)
    .await?;
    Ok(rows)
}

/// Who is woken, as it is kept.
pub(super) fn consumer(consumer: Consumer) -> uuid::Uuid {
    match consumer {
        Consumer::Fulfil => uuid::Uuid::nil(),
        Consumer::Announce(endpoint_id) => endpoint_id.as_uuid(),
    }
}

/// Those of `all` of whom no row has the number, from 1.
fn not_in(rows: &[MySqlRow], all: impl ExactSizeIterator<Item = At>) -> Result<Vec<At>, Failure> {
    if rows.len() == all.len() {
        return Ok(Vec::new());
    }
    let numbers = rows.iter().map(|row| number(row, 0, "number"));
    let written = numbers.collect::<Result<HashSet<usize>, _>>()?;
    Ok(missing(all, &written).collect())
}

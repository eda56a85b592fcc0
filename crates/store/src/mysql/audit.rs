//! The invariants as queries: what a row would have to look like to break a promise.

use super::rows::{boxed, failed};
use crate::server::pages;
use crate::{Check, Error, Finding, Page};
use domain::OrderId;
use sqlx::MySqlPool;
use uuid::Uuid;

/// A page of what violates `check`.
pub(super) async fn audit(
    pool: &MySqlPool,
    check: Check,
    after: Option<OrderId>,
) -> Result<Page<Finding, OrderId>, Error> {
    match check {
        Check::OneOrderPerKey => by_order(pool, ONE_ORDER_PER_KEY, after).await,
        Check::AllOrNothing => by_order(pool, ALL_OR_NOTHING, after).await,
        Check::LedgerAgrees => by_order(pool, LEDGER_AGREES, after).await,
        Check::TransfersAgree => by_order(pool, TRANSFERS_AGREE, after).await,
        Check::NothingStuck => by_order(pool, NOTHING_STUCK, after).await,
        Check::StockAgrees => stock_agrees(pool).await,
        Check::AppendOnly => append_only(pool).await,
        Check::Sound => sound(pool).await,
    }
}

/// Each yields the order and what is wrong. That a key stands for one order is its primary key's to
/// see to.
const ONE_ORDER_PER_KEY: &str = "
    select order_id, problem from (
      select k.order_id,
        case when min(o.order_id) is null then 'a key stands for it, and it is not there'
             else 'more than one key stands for it' end as problem
      from key_rows as k left join order_rows as o on o.order_id = k.order_id
      where k.order_id is not null and operation in (1, 2)
      group by k.order_id having min(o.order_id) is null or count(*) > 1
    ) as found
    where order_id > ? order by order_id limit ?";

const ALL_OR_NOTHING: &str = "
    select order_id, problem from (
      select order_id, 'it has no lines' as problem from order_rows
      where json_length(`lines`) = 0
      union all
      select order_id, 'it has no ledger entry' from order_rows as o
      where not exists (select 1 from ledger_rows as l where l.order_id = o.order_id)
      union all
      select order_id, 'it has no event' from order_rows as o
      where not exists (select 1 from event_rows as e
        where e.order_id = o.order_id and e.sequence = o.newest_sequence)
      union all
      select order_id, 'it waits for fulfilment, and nobody will be woken'
      from order_rows as o where fulfil and status in (0, 1, 3)
        and not exists (select 1 from wake_rows as w
          where w.consumer = unhex(repeat('0', 32)) and w.order_id = o.order_id)
        -- What could not be worked on at all is a letter under version 0.
        and not exists (select 1 from record_rows
          where kind = 'letter' and id = cast(concat(uuid_text(o.order_id), ':0') as binary))
      union all
      select order_id, 'it has a ledger entry, and it is not there' from ledger_rows as l
      where not exists (select 1 from order_rows as o where o.order_id = l.order_id)
      union all
      select order_id, 'it has an event, and it is not there' from event_rows as e
      where not exists (select 1 from order_rows as o where o.order_id = e.order_id)
      union all
      select order_id, 'someone is woken for it, and it is not there' from wake_rows as w
      where not exists (select 1 from order_rows as o where o.order_id = w.order_id)
    ) as found
    where order_id > ? order by order_id limit ?";

const LEDGER_AGREES: &str = "
    select order_id, problem from (
      select o.order_id, case
          when not entry.quantity <=> line.quantity
            then concat('its ledger entry says ', entry.quantity, ' items, its lines say ',
              line.quantity)
          when not o.total_minor <=> line.total
            then 'its total is not the sum of its lines'
          when not entry.total_minor <=> o.total_minor or not entry.currency <=> o.currency
            then 'its ledger entry has another total'
        end as problem
      from order_rows as o join ledger_rows as entry on entry.order_id = o.order_id
        join (
          select order_id, sum(line.quantity) as quantity,
            sum(cast(line.quantity as decimal(40)) * line.unit_price_minor) as total
          from order_rows, json_table(`lines`, '$[*]' columns (quantity bigint path '$[2]',
            unit_price_minor bigint path '$[3]')) as line
          group by order_id
        ) as line on line.order_id = o.order_id
    ) as found
    where problem is not null and order_id > ? order by order_id limit ?";

const TRANSFERS_AGREE: &str = "
    select order_id, problem from (
      select o.order_id, case
          when coalesce(t.net, 0) <> o.captured_minor - o.refunded_minor
            then concat('its transfers say that ', coalesce(t.net, 0), ' was taken, it says ',
              o.captured_minor - o.refunded_minor)
          when t.resolved <> t.distinct_resolved
            then 'a pending transfer of it was resolved twice'
          when t.pending < t.resolved then 'a transfer of it resolves nothing'
          when t.pending > t.resolved and o.status in (2, 4, 5, 7)
            then 'it has ended, and a transfer of it is still pending'
        end as problem
      from order_rows as o left join (
        select subject,
          sum(case when item_id is null and kind = 2 then amount
            when item_id is null and kind = 5 then -amount else 0 end) as net,
          sum(kind = 1) as pending,
          sum(kind in (2, 3)) as resolved,
          count(distinct case when kind in (2, 3) then pending_number end) as distinct_resolved
        from transfer_rows group by subject
      ) as t on t.subject = o.order_id
      where o.fulfil or t.subject is not null
    ) as found
    where problem is not null and order_id > ? order by order_id limit ?";

/// A letter says of an order why nothing goes on.
const NOTHING_STUCK: &str = "
    select order_id, problem from (
      select order_id, 'it is under way, without a step or a deadline' as problem,
        false as may_rest
      from order_rows where status in (1, 3) and (step is null or deadline_at is null)
      union all
      select order_id, 'it failed, and there is no letter of it', true
      from order_rows where status = 4
      union all
      select order_id, 'a refund of it is pending, and nobody will be woken', true
      from (
        select order_id, sum(case kind when 21 then 1 else -1 end) as pending
        from event_rows where kind between 21 and 23 group by order_id
      ) as refunds
      where pending > 0 and not exists (select 1 from wake_rows as w
        where w.consumer = unhex(repeat('0', 32)) and w.order_id = refunds.order_id)
    ) as suspect
    where order_id > ? and not (may_rest and exists (select 1 from record_rows
      where kind = 'letter' and id > cast(concat(uuid_text(suspect.order_id), ':') as binary)
        and id < cast(concat(uuid_text(suspect.order_id), ';') as binary)))
    order by order_id limit ?";

/// Items are few, and a page shows enough of what is wrong with them.
const STOCK_AGREES: &str = "
    select item_id, cast(sum(on_hand) as signed), cast(sum(reserved) as signed),
      cast(sum(there) as signed), cast(sum(held) as signed)
    from (
      select item_id, on_hand, reserved, 0 as there, 0 as held from stock_rows
      union all
      select item_id, 0, 0,
        case kind when 4 then case when credit = 3 then amount else -amount end
          when 2 then -amount when 5 then amount else 0 end,
        case kind when 1 then amount when 2 then -amount when 3 then -amount else 0 end
      from transfer_rows where item_id is not null
    ) as found
    group by item_id
    having sum(on_hand) <> sum(there) or sum(reserved) <> sum(held) or sum(reserved) < 0
      or sum(reserved) > sum(on_hand)
    limit 100";

async fn by_order(
    pool: &MySqlPool,
    sql: &'static str,
    after: Option<OrderId>,
) -> Result<Page<Finding, OrderId>, Error> {
    let after = after.map_or(Uuid::nil(), OrderId::as_uuid);
    let rows = sqlx::query(sql)
        .bind(&after.as_bytes()[..])
        .bind(i64::from(pages::FINDINGS_MAX))
        .fetch_all(pool)
        .await
        .map_err(failed)?;
    pages::findings(&rows)
}

async fn stock_agrees(pool: &MySqlPool) -> Result<Page<Finding, OrderId>, Error> {
    let rows = sqlx::query(STOCK_AGREES)
        .fetch_all(pool)
        .await
        .map_err(failed)?;
    pages::stock_findings(&rows)
}

async fn append_only(pool: &MySqlPool) -> Result<Page<Finding, OrderId>, Error> {
    let rows = sqlx::query(
        "select trigger_name from information_schema.triggers where trigger_schema = database()
         limit 1000",
    )
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    pages::missing_triggers(&rows)
}

/// What the engine says of its tables and their indexes, having read them.
async fn sound(pool: &MySqlPool) -> Result<Page<Finding, OrderId>, Error> {
    let rows = sqlx::raw_sql(
        "check table order_rows, ledger_rows, key_rows, event_rows, wake_rows, delivery_rows,
           stock_rows, transfer_rows, record_rows",
    )
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    let mut problems = Vec::new();
    for row in &rows {
        let [table, kind, text] = [0, 2, 3].map(|column| boxed(row, column));
        let (table, kind, text) = (table?, kind?, text?.unwrap_or_default());
        if kind.as_deref() != Some("note") && &*text != "OK" {
            problems.push(format!("the table {}: {text}", table.unwrap_or_default()));
        }
    }
    Ok(pages::of_no_order(problems))
}

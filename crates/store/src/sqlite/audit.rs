//! The invariants as queries: what a row would have to look like to break a promise.

use super::rows::{failed, uuid};
use crate::{Check, Error, Finding, Page};
use domain::OrderId;
use rusqlite::{Connection, Row, named_params};

/// The most findings of a page.
const PAGE: usize = 100;
/// The triggers that a sound schema has.
const TRIGGERS: [&str; 8] = [
    "events_are_never_deleted",
    "events_are_never_updated",
    "ledger_is_never_deleted",
    "ledger_is_never_updated",
    "orders_move_along_the_table",
    "transfers_are_never_deleted",
    "transfers_are_never_updated",
    "versions_count_every_change",
];

/// A page of what violates `check`.
pub(super) fn audit(
    connection: &Connection,
    check: Check,
    after: Option<OrderId>,
) -> Result<Page<Finding, OrderId>, Error> {
    match check {
        Check::OneOrderPerKey => by_order(connection, ONE_ORDER_PER_KEY, after),
        Check::AllOrNothing => by_order(connection, ALL_OR_NOTHING, after),
        Check::LedgerAgrees => by_order(connection, LEDGER_AGREES, after),
        Check::TransfersAgree => by_order(connection, TRANSFERS_AGREE, after),
        Check::NothingStuck => by_order(connection, NOTHING_STUCK, after),
        Check::StockAgrees => stock_agrees(connection),
        Check::AppendOnly => append_only(connection),
        Check::Sound => sound(connection),
    }
}

/// Each yields order row, `random` (0 where the order is gone), what is wrong. A key may come
/// again once it is forgotten, which is never within a day.
const ONE_ORDER_PER_KEY: &str = "
    select * from (
      select k.order_id, coalesce(o.random, 0) as random,
        case when o.order_id is null then 'a key stands for it, and it is not there'
             else 'more than one key stands for it' end as problem
      from key_rows as k left join order_rows as o using (order_id)
      where k.order_id is not null and operation in (1, 2)
      group by k.order_id having o.order_id is null or count(*) > 1
      union all
      select max(k.order_id), max(coalesce(o.random, 0)),
        'its key stands for ' || count(*) || ' orders'
      from key_rows as k left join order_rows as o using (order_id)
      group by principal, operation, key
      having count(*) > 1 and max(coalesce(k.created_at, o.created_at))
        - min(coalesce(k.created_at, o.created_at)) < 86400000
    )
    where order_id > :after order by order_id limit :limit";

const ALL_OR_NOTHING: &str = "
    select * from (
      select order_id, random, 'it has no lines' as problem from order_rows as o
      where not exists (select 1 from line_rows as l where l.order_id = o.order_id)
      union all
      select order_id, random, 'it has no ledger entry' from order_rows as o
      where not exists (select 1 from ledger_rows as l where l.order_id = o.order_id)
      union all
      select order_id, random, 'it has no event' from order_rows as o
      where not exists (select 1 from event_rows as e
        where e.event_id = o.order_id + o.newest_event
          and e.event_id - e.after_order = o.order_id)
      union all
      select order_id, random, 'it waits for fulfilment, and nobody will be woken'
      from order_rows as o where fulfil and status in (0, 1, 3)
        and not exists (select 1 from wake_rows as w
          where w.consumer = 1 and w.order_id = o.order_id)
        -- What could not be worked on at all is a letter under version 0.
        and not exists (select 1 from record_rows where kind = 'letter' and id =
          printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
            iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
            o.random & 281474976710655) || ':0')
      union all
      select order_id, 0, 'it has lines, and it is not there' from line_rows as l
      where line_number = 1
        and not exists (select 1 from order_rows as o where o.order_id = l.order_id)
      union all
      select order_id, 0, 'it has a ledger entry, and it is not there' from ledger_rows as l
      where not exists (select 1 from order_rows as o where o.order_id = l.order_id)
      union all
      select event_id - after_order, 0, 'it has an event, and it is not there' from event_rows as e
      where not exists (select 1 from order_rows as o where o.order_id = e.event_id - after_order)
      union all
      select order_id, 0, 'someone is woken for it, and it is not there' from wake_rows as w
      where not exists (select 1 from order_rows as o where o.order_id = w.order_id)
    )
    where order_id > :after order by order_id limit :limit";

const LEDGER_AGREES: &str = "
    select * from (
      select order_id, random, case
          when entry.quantity is not sum(line.quantity)
            then 'its ledger entry says ' || entry.quantity || ' items, its lines say '
              || sum(line.quantity)
          when o.total_minor is not sum(line.quantity * line.unit_price_minor)
            then 'its total is not the sum of its lines'
          when entry.total_minor is not o.total_minor or entry.currency is not o.currency
            then 'its ledger entry has another total'
        end as problem
      from order_rows as o join ledger_rows as entry using (order_id)
        join line_rows as line using (order_id)
      group by order_id
    )
    where problem is not null and order_id > :after order by order_id limit :limit";

const TRANSFERS_AGREE: &str = "
    select order_id, random, problem from (
      select o.order_id, o.random, case
          when coalesce(t.net, 0) <> o.captured_minor - o.refunded_minor
            then 'its transfers say that ' || coalesce(t.net, 0) || ' was taken, it says '
              || (o.captured_minor - o.refunded_minor)
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
          sum(kind = 1) as pending, sum(kind in (2, 3)) as resolved,
          count(distinct case when kind in (2, 3) then pending_number end) as distinct_resolved
        from transfer_rows group by subject
      ) as t on t.subject = o.order_id
      where o.fulfil or t.subject is not null
    )
    where problem is not null and order_id > :after order by order_id limit :limit";

/// A letter says of an order why nothing goes on.
const NOTHING_STUCK: &str = "
    select order_id, random, problem from (
      select order_id, random, 'it is under way, without a step or a deadline' as problem,
        false as may_rest
      from order_rows where status in (1, 3) and (step is null or deadline_at is null)
      union all
      select order_id, random, 'it failed, and there is no letter of it', true
      from order_rows where status = 4
      union all
      select order_id, random, 'a refund of it is pending, and nobody will be woken', true
      from (
        select event_id - after_order as order_id, sum(iif(kind = 21, 1, -1)) as pending
        from event_rows where kind between 21 and 23 group by 1
      ) join order_rows using (order_id)
      where pending > 0 and not exists (select 1 from wake_rows as w
        where w.consumer = 1 and w.order_id = order_rows.order_id)
    ) as suspect
    where order_id > :after and not (may_rest and exists (select 1 from record_rows
      where kind = 'letter' and id > printf('%08x-%04x-%x%03x-%04x-%012x', suspect.order_id >> 28,
          (suspect.order_id >> 12) & 65535, iif(random >> 62, 4, 7), suspect.order_id & 4095,
          32768 | ((random >> 48) & 16383), random & 281474976710655) || ':'
      and id < printf('%08x-%04x-%x%03x-%04x-%012x', suspect.order_id >> 28,
          (suspect.order_id >> 12) & 65535, iif(random >> 62, 4, 7), suspect.order_id & 4095,
          32768 | ((random >> 48) & 16383), random & 281474976710655) || ';'))
    order by order_id limit :limit";

/// Items are few, and a page shows enough of what is wrong with them.
const STOCK_AGREES: &str = "
    select coalesce(item_id, moved_id), on_hand, reserved, there, held from (
      select s.item_id, m.item_id as moved_id, coalesce(on_hand, 0) as on_hand,
        coalesce(reserved, 0) as reserved, coalesce(there, 0) as there, coalesce(held, 0) as held
      from stock_rows as s full join (
        select item_id,
          sum(case kind when 4 then iif(credit = 3, amount, -amount) when 2 then -amount
            when 5 then amount else 0 end) as there,
          sum(case kind when 1 then amount when 2 then -amount when 3 then -amount else 0 end)
            as held
        from transfer_rows where item_id is not null group by item_id
      ) as m using (item_id)
    )
    where on_hand <> there or reserved <> held or reserved < 0 or reserved > on_hand limit 100";

fn stock_agrees(connection: &Connection) -> Result<Page<Finding, OrderId>, Error> {
    let finding = |row: &Row<'_>| {
        let item_id: String = row.get(0)?;
        let [on_hand, reserved, there, held]: [i64; 4] =
            [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok(Finding {
            order_id: None,
            problem: format!(
                "of {item_id} there are {on_hand} and {reserved} are held; its transfers say \
                 {there} and {held}"
            ),
        })
    };
    let items = connection
        .prepare_cached(STOCK_AGREES)
        .and_then(|mut select| select.query_map([], finding)?.collect())
        .map_err(failed)?;
    Ok(Page { items, next: None })
}

fn by_order(
    connection: &Connection,
    sql: &'static str,
    after: Option<OrderId>,
) -> Result<Page<Finding, OrderId>, Error> {
    let after = after.map_or(-1, |id| super::rows::halves(id.as_uuid()).0);
    let finding = |row: &Row<'_>| {
        Ok(Finding {
            order_id: Some(OrderId::new(uuid(row.get(0)?, row.get(1)?))),
            problem: row.get(2)?,
        })
    };
    let items: Vec<Finding> = connection
        .prepare_cached(sql)
        .and_then(|mut select| {
            select
                .query_map(named_params! {":after": after, ":limit": PAGE}, finding)?
                .collect()
        })
        .map_err(failed)?;
    let next = items
        .last()
        .and_then(|last| last.order_id)
        .filter(|_| items.len() == PAGE);
    Ok(Page { items, next })
}

fn append_only(connection: &Connection) -> Result<Page<Finding, OrderId>, Error> {
    let present: Vec<String> = connection
        .prepare_cached("select name from sqlite_schema where type = 'trigger' limit 100")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .map_err(failed)?;
    let items = TRIGGERS
        .into_iter()
        .filter(|name| !present.iter().any(|trigger| trigger == name))
        .map(|name| Finding {
            order_id: None,
            problem: format!("the trigger {name} is missing"),
        })
        .collect();
    Ok(Page { items, next: None })
}

fn sound(connection: &Connection) -> Result<Page<Finding, OrderId>, Error> {
    let said: Vec<String> = connection
        .prepare_cached("pragma quick_check(100)")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .map_err(failed)?;
    let items = said
        .into_iter()
        .filter(|line| line != "ok")
        .map(|problem| Finding {
            order_id: None,
            problem,
        })
        .collect();
    Ok(Page { items, next: None })
}

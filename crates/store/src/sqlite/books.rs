//! Stock and transfers.

use super::rows::{self, account_code, failed, halves, transfer_code};
use crate::Error;
use domain::id::first_half;
use domain::stock::Movement;
use domain::transfer::{Asset, Subject};
use domain::{ItemId, OrderId, Stock, Transfer};
use rusqlite::{Connection, OptionalExtension, params};

/// Moves stock; `false` where there is not enough. What was never counted starts from nothing.
pub(super) fn stock(connection: &Connection, movement: &Movement) -> Result<bool, Error> {
    let was = movement.was.map(u64::cast_signed);
    let moved = connection
        .prepare_cached(
            "update stock_rows set on_hand = on_hand + ?2, reserved = reserved + ?3
             where item_id = ?1 and reserved + ?3 between 0 and on_hand + ?2
               and (?4 is null or on_hand = ?4)",
        )
        .and_then(|mut update| {
            update.execute(params![
                movement.item_id.as_str(),
                movement.on_hand,
                movement.reserved,
                was,
            ])
        })
        .map_err(failed)?;
    if moved == 1 {
        return Ok(true);
    }
    if movement.reserved != 0 || movement.on_hand < 0 || was.is_some() {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "insert into stock_rows (item_id, on_hand, reserved) values (?1, ?2, ?3)
             on conflict do nothing",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                movement.item_id.as_str(),
                movement.on_hand,
                movement.reserved,
            ])
        })
        .map(|rows| rows == 1)
        .map_err(failed)
}

/// Adds a transfer; `false` where one with its number is there.
pub(super) fn transfer(connection: &Connection, transfer: &Transfer) -> Result<bool, Error> {
    let subject = match transfer.subject {
        Subject::Order(id) => halves(id.as_uuid()).0,
        Subject::Adjustment(id) => first_half(id).cast_signed(),
    };
    let (kind, pending) = transfer_code(transfer.kind);
    let item_id = match &transfer.asset {
        Asset::Money(_) => None,
        Asset::Item(item_id) => Some(item_id.as_str()),
    };
    connection
        .prepare_cached(
            "insert into transfer_rows (subject, number, kind, pending_number, item_id, debit,
               credit, amount, reason, occurred_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             on conflict do nothing",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                subject,
                transfer.number,
                kind,
                pending,
                item_id,
                account_code(transfer.debit),
                account_code(transfer.credit),
                transfer.amount.cast_signed(),
                transfer.reason.as_deref(),
                transfer.occurred_at.as_millis(),
            ])
        })
        .map(|rows| rows == 1)
        .map_err(failed)
}

/// The transfers of an order, in the order of their numbers.
pub(super) fn transfers(
    connection: &Connection,
    order_id: OrderId,
) -> Result<Vec<Transfer>, Error> {
    let mut select = connection
        .prepare_cached(
            "select number, kind, pending_number, item_id, debit, credit, amount, reason,
               occurred_at, currency
             from transfer_rows join order_rows on order_id = subject
             where subject = ?1 and random = ?2 order by number limit 100000",
        )
        .map_err(failed)?;
    let (row, random) = halves(order_id.as_uuid());
    let mut found = select.query(params![row, random]).map_err(failed)?;
    let mut transfers = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        transfers.push(rows::transfer(row, order_id)?);
    }
    Ok(transfers)
}

/// The stock of items, in the same order; `None` where it is not counted.
pub(super) fn stocks(
    connection: &Connection,
    items: &[ItemId],
) -> Result<Vec<Option<Stock>>, Error> {
    let mut select = connection
        .prepare_cached("select on_hand, reserved from stock_rows where item_id = ?1")
        .map_err(failed)?;
    items
        .iter()
        .map(|item_id| {
            select
                .query_row([item_id.as_str()], |row| {
                    Ok(Stock {
                        on_hand: row.get(0)?,
                        reserved: row.get(1)?,
                    })
                })
                .optional()
                .map_err(failed)
        })
        .collect()
}

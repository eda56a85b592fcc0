//! Stock and transfers.

use super::rows::{corrupt, failed, get, halves, optional};
use crate::Error;
use domain::id::first_half;
use domain::stock::Movement;
use domain::transfer::{Account, Asset, Subject, TransferKind};
use domain::{Currency, ItemId, OrderId, Stock, Timestamp, Transfer};
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
    let (kind, pending) = kind_code(transfer.kind);
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
    let mut rows = select.query(params![row, random]).map_err(failed)?;
    let mut transfers = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let currency = Currency::parse(super::rows::text(row, 9)?);
        let item_id = optional(row, 3, ItemId::parse, "item_id")?;
        let asset = match item_id {
            Some(item_id) => Asset::Item(item_id),
            None => Asset::Money(currency.ok_or_else(|| corrupt("currency"))?),
        };
        let account = |column| -> Result<Account, Error> {
            let code: i64 = get(row, column)?;
            Account::ALL
                .into_iter()
                .find(|account| account_code(*account) == code)
                .ok_or_else(|| corrupt("account"))
        };
        transfers.push(Transfer {
            subject: Subject::Order(order_id),
            number: get(row, 0)?,
            kind: kind_of(get(row, 1)?, get(row, 2)?).ok_or_else(|| corrupt("transfer kind"))?,
            asset,
            debit: account(4)?,
            credit: account(5)?,
            amount: get(row, 6)?,
            reason: optional(row, 7, |text| Some(Box::from(text)), "reason")?,
            occurred_at: Timestamp::from_millis(get(row, 8)?),
        });
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

fn account_code(account: Account) -> i64 {
    match account {
        Account::Customers => 1,
        Account::Sales => 2,
        Account::Stock => 3,
        Account::Supply => 4,
    }
}

fn kind_code(kind: TransferKind) -> (i64, Option<u32>) {
    match kind {
        TransferKind::Pending => (1, None),
        TransferKind::Posted(pending) => (2, Some(pending)),
        TransferKind::Voided(pending) => (3, Some(pending)),
        TransferKind::Transfer => (4, None),
        TransferKind::Reversal => (5, None),
    }
}

fn kind_of(code: i64, pending: Option<u32>) -> Option<TransferKind> {
    Some(match (code, pending) {
        (1, None) => TransferKind::Pending,
        (2, Some(pending)) => TransferKind::Posted(pending),
        (3, Some(pending)) => TransferKind::Voided(pending),
        (4, None) => TransferKind::Transfer,
        (5, None) => TransferKind::Reversal,
        _ => return None,
    })
}

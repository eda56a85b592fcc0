//! Removing all that belongs to orders: the one exception to append-only.

use super::rows::{failed, number};
use crate::Error;
use sqlx::{Connection as _, MySqlPool};

/// Removes every order with all that was written for it, in one transaction; how many there were.
/// Products, tokens, secrets and the stock on hand stay; what was held is held no more.
pub(super) async fn all_orders(pool: &MySqlPool) -> Result<u64, Error> {
    // One of its own, which goes with what it was told.
    let mut connection = pool.acquire().await.map_err(failed)?.detach();
    let mut transaction = connection.begin().await.map_err(failed)?;
    let count = sqlx::query("select count(*) from order_rows")
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    sqlx::raw_sql(
        "set @orderd_reset = true;
         delete from order_rows;
         delete from ledger_rows;
         delete from key_rows;
         delete from event_rows;
         delete from wake_rows;
         delete from transfer_rows;
         delete from delivery_rows;
         delete from record_rows where kind = 'letter';
         update stock_rows set reserved = 0;
         insert into transfer_rows (subject, number, kind, item_id, debit, credit, amount, reason,
           occurred_at)
         select unhex(replace(uuid(), '-', '')), 1, 4, item_id, 4, 3, on_hand,
           'what was there at a reset', floor(1000 * unix_timestamp(now(3)))
         from stock_rows where on_hand > 0",
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    number(&count, 0, "count")
}

//! Removing all that belongs to orders: the one exception to append-only.

use super::rows::{failed, number};
use crate::Error;
use sqlx::PgPool;

/// Removes every order with all that was written for it, in one transaction; how many there were.
/// Products, tokens, secrets and the stock on hand stay; what was held is held no more.
pub(super) async fn all_orders(pool: &PgPool) -> Result<u64, Error> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let count = sqlx::query("select count(*) from order_rows")
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    sqlx::raw_sql(
        "truncate order_rows, ledger_rows, key_rows, event_rows, wake_rows, transfer_rows,
           delivery_rows;
         delete from record_rows where kind = 'letter';
         update stock_rows set reserved = 0;
         insert into transfer_rows (subject, number, kind, item_id, debit, credit, amount, reason,
           occurred_at)
         select gen_random_uuid(), 1, 4, item_id, 4, 3, on_hand, 'what was there at a reset',
           (1000 * extract(epoch from now()))::bigint
         from stock_rows where on_hand > 0",
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    number(&count, 0, "count")
}

//! Removing all that belongs to orders: the one exception to append-only.

use super::rows::failed;
use crate::Error;
use rusqlite::Connection;

/// Removes every order with all that was written for it, in one transaction; how many there were.
/// Products, tokens, secrets and the stock on hand stay; what was held is held no more.
pub(super) fn all_orders(connection: &Connection) -> Result<u64, Error> {
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let count: i64 = transaction
        .query_row("select count(*) from order_rows", [], |row| row.get(0))
        .map_err(failed)?;
    let triggers = triggers(&transaction)?;
    for (name, _) in &triggers {
        transaction
            .execute_batch(&drop_trigger(name))
            .map_err(failed)?;
    }
    transaction
        .execute_batch(
            "delete from order_rows; delete from line_rows; delete from ledger_rows;
             delete from key_rows; delete from event_rows; delete from wake_rows;
             delete from key_index; delete from customer_index;
             update index_state set moved_to = 0;
             delete from transfer_rows;
             delete from record_rows where kind = 'letter'; delete from delivery_rows;
             update stock_rows set reserved = 0;
             insert into transfer_rows (subject, number, kind, item_id, debit, credit, amount,
               reason, occurred_at)
             select -row_number() over (order by item_id), 1, 4, item_id, 4, 3, on_hand,
               'what was there at a reset', 1000 * unixepoch()
             from stock_rows where on_hand > 0",
        )
        .map_err(failed)?;
    for (_, sql) in &triggers {
        transaction.execute_batch(sql).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(count.cast_unsigned())
}

/// The triggers that keep ledger and events append-only, with the SQL that makes each.
fn triggers(connection: &Connection) -> Result<Vec<(String, String)>, Error> {
    connection
        .prepare("select name, sql from sqlite_schema where type = 'trigger' limit 100")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(failed)
}

fn drop_trigger(name: &str) -> String {
    let quoted = name.replace('"', "\"\"");
    ["drop trigger \"", &quoted, "\""].concat()
}

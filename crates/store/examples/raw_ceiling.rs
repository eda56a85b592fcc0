//! What SQLite itself can take on this machine: one thread that inserts the rows of one-line
//! orders, in groups, with the settings of the store and nothing else around it.
//!
//! `raw_ceiling DIRECTORY [ORDERS [GROUP]]` prints one line of JSON.

use domain::{Clock, Timestamp};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use store::cache::Cache;
use store::open::{Access, Options};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = arguments.first().map_or(".", String::as_str);
    let number = |place: usize, default: i64| {
        arguments
            .get(place)
            .map_or(Ok(default), |text| text.parse::<i64>())
    };
    let (orders, group) = (number(1, 200_000)?, number(2, 64)?);
    let path = Path::new(directory).join("raw_ceiling.db");
    let options = Options {
        url: format!("sqlite:{}", path.display()),
        access: Access::Own,
        customer_index: false,
        cache: Arc::new(Cache::off()),
    };
    store::open(&options, &Still).await?.close().await?;

    let connection = Connection::open(&path)?;
    connection.execute_batch(
        "pragma synchronous = full; pragma wal_autocheckpoint = 4000; pragma cache_size = -16000",
    )?;
    let started = Instant::now();
    for first in (0..orders).step_by(usize::try_from(group)?) {
        insert_group(&connection, first, (first + group).min(orders))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = orders as f64 / seconds;
    println!(r#"{{"orders_per_s":{rate:.0},"orders":{orders},"group":{group}}}"#);
    Ok(())
}

fn insert_group(connection: &Connection, first: i64, end: i64) -> rusqlite::Result<()> {
    let mut order = connection.prepare_cached(
        "insert into order_rows (order_id, random, customer_id, currency, total_minor, contract,
           fulfil, created_at, newest_event)
         values (?1, ?2, ?3, 'USD', 0, 1, 1, ?4, ?5)",
    )?;
    let mut line = connection.prepare_cached(
        "insert into line_rows (order_id, line_number, item_id, quantity, unit_price_minor)
         values (?1, 1, ?2, 1, 0)",
    )?;
    let mut ledger = connection.prepare_cached(
        "insert into ledger_rows (order_id, quantity, total_minor, currency)
         values (?1, 1, 0, 'USD')",
    )?;
    let mut event = connection.prepare_cached(
        "insert into event_rows (event_id, random, after_order, sequence, kind)
         values (?1, ?2, 1, 1, 1)",
    )?;
    let mut wake = connection.prepare_cached(
        "insert into wake_rows (consumer, order_id, head, due_at) values (1, ?1, 1, ?2)",
    )?;
    let mut key = connection.prepare_cached(
        "insert into key_rows (record_id, operation, key, scheme, digest, status, renderer,
           order_id)
         values (?1, 1, ?2, 1, ?3, 201, 1, ?4)",
    )?;
    connection.execute_batch("begin immediate")?;
    for n in first..end {
        let now = 1_780_000_000_000 + n / 50;
        let id = (now << 12) + 2 * (n % 50);
        let random = n.wrapping_mul(0x1e37_79b9_7f4a_7c15) & (i64::MAX >> 1);
        order.execute(params![id, random, format!("c{}", n % 10_000), now, 1])?;
        line.execute(params![id, format!("i{}", n % 1_000)])?;
        ledger.execute(params![id])?;
        event.execute(params![id + 1, random])?;
        wake.execute(params![id, now])?;
        key.execute(params![n + 1, format!("12345678-{n:08}"), [7_u8; 16], id])?;
    }
    connection.execute_batch("commit")
}

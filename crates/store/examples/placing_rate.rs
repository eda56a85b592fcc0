//! How many one-line orders a second a store takes, with nothing else around it: many callers, each
//! placing one order after another.
//!
//! `placing_rate URL [SECONDS [CALLERS]]` prints one line of JSON. Built with the feature `mutants`,
//! `ORDERD_MUTANT=one-by-one` gives each order a transaction of its own.

use domain::idempotency::{Body, Fingerprint, Key, Operation, Principal, Reply, Retention, Scope};
use domain::json::Json;
use domain::order::Contract;
use domain::place::{Draft, Keyed, Occasion, place};
use domain::product::Prices;
use domain::{
    Clock, Currency, CustomerId, EventId, Ids, ItemId, Line, Money, OrderId, Quantity, Timestamp,
    WriteSet,
};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use store::cache::Cache;
use store::open::{Access, Options};
use store::{Committed, Store};

const DAY_MS: i64 = 86_400_000;
/// Which one makes no difference here.
const ANY_CONTRACT: u8 = 1;

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or_default())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = arguments.first().ok_or("which database?")?.clone();
    let number = |place: usize, default: u64| match arguments.get(place) {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (seconds, callers) = (number(1, 3)?, number(2, 1024)?);
    let options = Options {
        url,
        access: Access::Own,
        customer_index: false,
        cache: Arc::new(Cache::off()),
    };
    let store = store::open(&options, &Wall).await?;

    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let random = AtomicU64::new(u64::try_from(Wall.now().as_millis())?);
    let ids = Arc::new(Ids::new(move || {
        random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        tasks.spawn(place_until(Arc::clone(&store), Arc::clone(&ids), until));
    }
    let mut orders = 0;
    while let Some(placed) = tasks.join_next().await {
        orders += placed??;
    }
    let elapsed = began.elapsed();
    store.close().await?;
    let rate = f64::from(orders) / elapsed.as_secs_f64();
    println!(r#"{{"orders_per_s":{rate:.0},"orders":{orders},"callers":{callers}}}"#);
    Ok(())
}

async fn place_until(
    store: Arc<dyn Store>,
    ids: Arc<Ids>,
    until: Instant,
) -> Result<u32, store::Error> {
    let mut orders = 0;
    while Instant::now() < until {
        let write_set = placing(&ids, Wall.now());
        match store.commit(Arc::new(write_set)).await? {
            Committed::Done => orders += 1,
            other => return Err(store::Error::Corrupt(format!("{other:?}"))),
        }
    }
    Ok(orders)
}

fn placing(ids: &Ids, now: Timestamp) -> WriteSet {
    let order_id = ids.mint(now);
    let key = order_id.to_string();
    let draft = Draft {
        contract: Contract(ANY_CONTRACT),
        customer_id: CustomerId::parse("cust1"),
        customer_name: None,
        currency: None,
        lines: vec![Line {
            item_id: ItemId::parse("pen"),
            name: None,
            quantity: Quantity::parse(2).expect("two is a quantity"),
            unit_price_minor: Money::from_minor(150),
        }],
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    };
    let occasion = Occasion {
        order_id: OrderId::new(order_id),
        event_id: EventId::new(ids.mint(now)),
        now,
        fulfil_at: now,
        traceparent: None,
    };
    let keyed = Keyed {
        scope: Scope {
            principal: Principal::anonymous(),
            operation: Operation::PlaceOrder,
            key: Key::parse(key.as_bytes()).expect("a UUID is a key"),
        },
        fingerprint: Fingerprint::of(
            Operation::PlaceOrder,
            &Json::parse(key.as_bytes()).unwrap_or(Json::Null),
        ),
        reply: Reply {
            status: 201,
            body: Body::Rendered(1),
        },
        retention: Retention {
            reply_ms: DAY_MS,
            tombstone_ms: DAY_MS,
        },
    };
    place(draft, &Prices::none(Currency::USD), occasion, Some(keyed)).expect("it may be placed")
}

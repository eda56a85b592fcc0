//! What tests place, and where and when.

use domain::idempotency::{Body, Fingerprint, Key, Operation, Principal, Reply, Retention, Scope};
use domain::json::Json;
use domain::order::Contract;
use domain::place::{Draft, Keyed, Occasion, place};
use domain::product::Prices;
use domain::{
    Change, Clock, Currency, CustomerId, EventId, Ids, ItemId, Line, Money, Order, OrderId,
    Quantity, Timestamp, WriteSet,
};
use std::sync::atomic::{AtomicU64, Ordering};
use store::OrderQuery;

/// A clock that stands still.
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
pub(crate) const DAY_MS: i64 = 86_400_000;

pub(crate) fn ids() -> Ids {
    let count = AtomicU64::new(1);
    Ids::new(move || count.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
}

pub(crate) fn scope(key: &str) -> Scope {
    Scope {
        principal: Principal::anonymous(),
        operation: Operation::PlaceOrder,
        key: Key::parse(key.as_bytes()).unwrap(),
    }
}

pub(crate) fn fingerprint(body: &str) -> Fingerprint {
    Fingerprint::of(
        Operation::PlaceOrder,
        &Json::parse(body.as_bytes()).unwrap(),
    )
}

pub(crate) fn draft(customer: &str) -> Draft {
    Draft {
        contract: Contract(1),
        customer_id: CustomerId::parse(customer),
        customer_name: None,
        currency: None,
        lines: vec![Line {
            item_id: ItemId::parse("pen"),
            name: None,
            quantity: Quantity::parse(2).unwrap(),
            unit_price_minor: Money::from_minor(150),
        }],
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    }
}

/// An order that nobody drives to an end.
pub(crate) fn recorded_only() -> Draft {
    Draft {
        fulfil: false,
        ..draft("cust1")
    }
}

pub(crate) fn occasion(ids: &Ids, now: Timestamp) -> Occasion {
    Occasion {
        order_id: OrderId::new(ids.mint(now)),
        event_id: EventId::new(ids.mint(now)),
        now,
        fulfil_at: now,
        traceparent: None,
    }
}

/// A write set that places `draft` under `key`, at `now`.
pub(crate) fn placing_at(ids: &Ids, now: Timestamp, key: Option<&str>, draft: Draft) -> WriteSet {
    let occasion = occasion(ids, now);
    let keyed = key.map(|key| Keyed {
        scope: scope(key),
        fingerprint: fingerprint("{}"),
        reply: Reply {
            status: 201,
            body: Body::Rendered(1),
        },
        retention: Retention {
            reply_ms: DAY_MS,
            tombstone_ms: DAY_MS,
        },
    });
    place(draft, &Prices::none(Currency::USD), occasion, keyed).unwrap()
}

pub(crate) fn placing(ids: &Ids, key: &str) -> WriteSet {
    placing_at(ids, NOW, Some(key), draft("cust1"))
}

pub(crate) fn placed(write_set: &WriteSet) -> Order {
    match &write_set.changes[0] {
        Change::Place(order, _) => (**order).clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn everything() -> OrderQuery {
    OrderQuery {
        customer_id: None,
        status: None,
        from: None,
        before: None,
        limit: 100,
    }
}

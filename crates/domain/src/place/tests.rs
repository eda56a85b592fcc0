use super::{Draft, Keyed, Occasion, place};
use crate::idempotency::{Body, Fingerprint, Key, Operation, Principal, Reply, Retention, Scope};
use crate::json::Json;
use crate::order::Contract;
use crate::product::Prices;
use crate::{
    Change, Currency, CustomerId, EventId, Ids, Line, Money, Name, OrderId, Quantity, Refusal,
    Timestamp, WriteSet,
};
use proptest::prelude::*;

fn line(quantity: u64, unit_price_minor: i64) -> Line {
    Line {
        item_id: None,
        name: Name::parse("Pen"),
        quantity: Quantity::parse(quantity).unwrap(),
        unit_price_minor: Money::from_minor(unit_price_minor),
    }
}

fn draft(lines: Vec<Line>) -> Draft {
    Draft {
        contract: Contract(1),
        customer_id: CustomerId::parse("cust1"),
        customer_name: None,
        currency: None,
        lines,
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    }
}

fn occasion() -> Occasion {
    let now = Timestamp::from_millis(1_780_000_000_000);
    let ids = Ids::new(|| 7);
    Occasion {
        order_id: OrderId::new(ids.mint(now)),
        event_id: EventId::new(ids.mint(now)),
        now,
        fulfil_at: now,
        traceparent: None,
    }
}

fn kinds(write_set: &WriteSet) -> Vec<&str> {
    let kind = |change: &Change| match change {
        Change::Place(..) => "place",
        Change::Order { .. } => "order",
        Change::Event(_) => "event",
        Change::Wake(_) => "wake",
        _ => "something else",
    };
    write_set.changes.iter().map(kind).collect()
}

#[test]
fn an_order_to_be_fulfilled_is_written_with_ledger_entry_event_and_wake() {
    let write_set = place(
        draft(vec![line(2, 150), line(1, 99)]),
        &Prices::none(Currency::USD),
        occasion(),
        None,
    )
    .unwrap();

    assert_eq!(kinds(&write_set), ["place", "event", "wake"]);
    let Change::Place(order, entry) = &write_set.changes[0] else {
        panic!("{write_set:?}")
    };
    assert_eq!(order.total_minor, Money::from_minor(399));
    assert_eq!((order.version, order.created_at), (1, order.updated_at));
    assert_eq!((entry.order_id, entry.quantity), (order.id, 3));
    assert_eq!(entry.total_minor, order.total_minor);
}

#[test]
fn a_recorded_only_order_wakes_nobody() {
    let write_set = place(
        Draft {
            fulfil: false,
            ..draft(vec![line(1, 0)])
        },
        &Prices::none(Currency::USD),
        occasion(),
        None,
    )
    .unwrap();
    assert_eq!(kinds(&write_set), ["place", "event"]);
}

#[test]
fn the_key_is_claimed_for_the_order_it_places() {
    let operation = Operation::PlaceOrder;
    let keyed = Keyed {
        scope: Scope {
            principal: Principal::anonymous(),
            operation,
            key: Key::parse(b"k").unwrap(),
        },
        fingerprint: Fingerprint::of(operation, &Json::Null),
        reply: Reply {
            status: 201,
            body: Body::Rendered(1),
        },
        retention: Retention {
            reply_ms: 1_000,
            tombstone_ms: 2_000,
        },
    };
    let occasion = occasion();
    let write_set = place(
        draft(vec![line(1, 0)]),
        &Prices::none(Currency::USD),
        occasion,
        Some(keyed),
    )
    .unwrap();

    let claim = write_set.claim.unwrap();
    assert_eq!(claim.order_id, Some(occasion.order_id));
    assert_eq!(claim.forget_before, occasion.now.plus_millis(-3_000));
}

#[test]
fn a_total_beyond_all_amounts_is_refused() {
    let check = |lines| {
        assert_eq!(
            place(draft(lines), &Prices::none(Currency::USD), occasion(), None),
            Err(Refusal::AmountOverflow)
        );
    };
    check(vec![line(2, i64::MAX)]);
    check(vec![line(1, i64::MAX), line(1, 1)]);
}

#[test]
fn another_total_than_expected_is_refused() {
    let expecting = |minor| Draft {
        expected_total_minor: Some(Money::from_minor(minor)),
        ..draft(vec![line(3, 100)])
    };
    assert!(
        place(
            expecting(300),
            &Prices::none(Currency::USD),
            occasion(),
            None
        )
        .is_ok()
    );
    assert_eq!(
        place(
            expecting(299),
            &Prices::none(Currency::USD),
            occasion(),
            None
        ),
        Err(Refusal::PriceChanged {
            expected: Money::from_minor(299),
            actual: Money::from_minor(300)
        })
    );
}

proptest! {
    #[test]
    fn a_total_is_the_sum_of_its_lines_or_refused(
        rows in prop::collection::vec((1..=1_000_000_u64, 0..i64::MAX / 1_000), 1..40)
    ) {
        let exact: i128 = rows.iter().map(|(n, price)| i128::from(*n) * i128::from(*price)).sum();
        let lines = rows.iter().map(|(n, price)| line(*n, *price)).collect();
        match place(draft(lines), &Prices::none(Currency::USD), occasion(), None) {
            Ok(write_set) => {
                let Change::Place(order, _) = &write_set.changes[0] else { panic!() };
                prop_assert_eq!(i128::from(order.total_minor.as_minor()), exact);
            }
            Err(refusal) => {
                prop_assert_eq!(refusal, Refusal::AmountOverflow);
                prop_assert!(exact > i128::from(i64::MAX));
            }
        }
    }
}

use super::{hide, label};
use crate::order::Contract;
use crate::place::{Draft, Occasion, place};
use crate::product::Prices;
use crate::text::Label;
use crate::{
    Change, Currency, CustomerId, EventId, EventKind, Ids, Line, Money, Name, Order, OrderId,
    Quantity, Refusal, Status, Timestamp, WriteSet,
};

fn occasion(millis: i64) -> Occasion {
    let now = Timestamp::from_millis(millis);
    let ids = Ids::new(|| 7);
    Occasion {
        order_id: OrderId::new(ids.mint(now)),
        event_id: EventId::new(ids.mint(now)),
        now,
        fulfil_at: now,
        traceparent: None,
    }
}

fn order(fulfil: bool) -> Order {
    let draft = Draft {
        contract: Contract(3),
        customer_id: CustomerId::parse("cust1"),
        customer_name: None,
        currency: None,
        lines: vec![Line {
            item_id: None,
            name: Name::parse("Pen"),
            quantity: Quantity::parse(1).unwrap(),
            unit_price_minor: Money::ZERO,
        }],
        expected_total_minor: None,
        fulfil,
        metadata: None,
    };
    let prices = Prices::none(Currency::USD);
    let write_set = place(draft, &prices, occasion(1_000), None).unwrap();
    let Change::Place(order, _) = write_set.changes.into_iter().next().unwrap() else {
        panic!("a placing places first")
    };
    *order
}

fn now(write_set: &WriteSet) -> (u32, Order, EventKind) {
    let [Change::Order { was, now }, Change::Event(event)] = &write_set.changes[..] else {
        panic!("{write_set:?}")
    };
    assert_eq!(event.sequence, now.newest_sequence);
    (*was, (**now).clone(), event.kind)
}

#[test]
fn a_label_raises_the_version_and_nothing_else() {
    let shipped = Label::parse("shipped").unwrap();
    let before = order(false);
    let (was, after, kind) = now(&label(before.clone(), shipped.clone(), occasion(2_000)).unwrap());
    assert_eq!((was, kind), (1, EventKind::OrderLabelled));
    let expected = Order {
        version: 2,
        newest_sequence: 2,
        label: Some(shipped),
        updated_at: Timestamp::from_millis(2_000),
        ..before
    };
    assert_eq!(after, expected);
}

#[test]
fn a_hidden_order_keeps_all_but_its_place_in_reads() {
    let (was, after, kind) = now(&hide(order(false), occasion(2_000)).unwrap());
    assert_eq!((was, after.version, kind), (1, 2, EventKind::OrderHidden));
    assert_eq!(after.hidden_at, Some(Timestamp::from_millis(2_000)));
    assert_eq!(after.status, Status::Created);
}

#[test]
fn an_order_under_fulfilment_is_left_alone_until_it_ended() {
    for status in Status::all() {
        let order = Order {
            status,
            ..order(true)
        };
        let refused = Err(Refusal::UnderFulfilment { status });
        let ended = status
            .allowed()
            .iter()
            .all(|next| *next == Status::Refunded)
            || status == Status::Failed;
        let hidden = hide(order.clone(), occasion(2_000));
        let labelled = label(order, Label::parse("x").unwrap(), occasion(2_000));
        assert_eq!(
            (hidden.is_ok(), labelled.is_ok()),
            (ended, ended),
            "{status:?}"
        );
        if !ended {
            assert_eq!(hidden, refused);
        }
    }
}

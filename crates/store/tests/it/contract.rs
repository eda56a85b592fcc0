//! The promises that every backend is held to. `contract!(name, open)` makes one test of each.

use crate::fixtures::{
    DAY_MS, NOW, draft, everything, fingerprint, ids, occasion, placed, placing, placing_at,
    recorded_only, scope,
};
pub(crate) use crate::live::*;
pub(crate) use crate::others::*;
pub(crate) use crate::records::*;
pub(crate) use crate::stats::*;
pub(crate) use crate::webhooks::*;
use domain::idempotency::{Body, Key, Operation, Principal, Reply, Seen};
use domain::place::Draft;
use domain::recorded;
use domain::text::Label;
use domain::{
    Change, Currency, CustomerId, ItemId, Line, Money, Name, Order, OrderId, Quantity, RecordId,
    RecordKind, Status, WriteSet,
};
use std::sync::Arc;
use store::{Check, Committed, OrderQuery, Page, Store};

/// A store that a test may use as it likes, and what keeps it alive.
pub(crate) struct Fresh {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) _keep: Box<dyn std::any::Any>,
}

/// One test a promise.
macro_rules! contract {
    ($backend:ident, $open:path) => {
        mod $backend {
            use crate::contract as promises;
            $crate::contract::contract!(@each $open,
                an_order_is_read_back_as_it_was_placed,
                what_is_not_there_is_none,
                a_key_is_taken_once_and_remembers_its_answer,
                keys_are_compared_byte_for_byte_within_their_scope,
                write_sets_at_once_take_a_key_once,
                a_forgotten_key_is_free,
                a_refused_write_set_writes_nothing,
                a_refused_write_set_takes_no_neighbour_with_it,
                orders_are_listed_newest_first_in_pages_that_neither_skip_nor_repeat,
                orders_are_listed_by_customer_by_status_and_by_time,
                an_order_of_another_system_keeps_its_id,
                an_order_has_its_first_event,
                an_order_moves_on_from_the_version_that_is_there_and_its_events_are_chained,
                a_record_changes_only_from_the_version_that_is_there,
                records_are_listed_by_id_in_pages,
                a_record_that_was_read_is_read_as_it_is_now,
                letters_that_wait_are_listed_by_id_whatever_was_settled_before_them,
                a_sound_store_has_no_findings,
                a_reset_removes_orders_and_keeps_records,
                hostile_text_is_only_text,
                wakes_are_leased_when_they_are_due_the_longest_due_first,
                a_lease_is_settled_or_delayed_only_by_whoever_has_it,
                whoever_keeps_a_lease_has_it_and_changes_nothing_else,
                one_order_is_leased_unless_it_waits_for_its_next_try,
                what_is_only_passed_on_counts_as_received_once,
                a_wake_moves_the_signal,
                figures_say_how_much_waits_and_since_when,
                figures_count_the_dead_letters_that_wait,
                an_event_wakes_the_endpoints_that_want_it,
                an_event_wakes_more_endpoints_than_a_transaction_has_rows,
                an_endpoint_that_is_forgotten_has_no_wakes_and_no_log,
                the_log_of_an_endpoint_is_read_in_pages_the_newest_first,
                events_of_all_orders_are_read_by_their_ids_in_pages,
                what_is_committed_is_told_and_nothing_else,
                stock_never_goes_below_what_is_held_or_nothing,
                a_refused_movement_takes_no_neighbour_with_it,
                what_is_stale_among_others_is_refused_and_the_others_are_done,
                an_order_is_driven_to_its_end_and_all_of_it_is_kept,
                an_order_keeps_its_trace_to_its_end_and_so_do_its_events,
                a_reset_keeps_what_is_on_hand_and_lets_go_of_what_is_held,
            );
        }
    };
    (@each $open:path, $($promise:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let Some(fresh) = $open().await else {
                return;
            };
            promises::$promise(&*fresh.store).await;
            fresh.store.close().await.unwrap();
        })*
    };
}
pub(crate) use contract;

pub(crate) use crate::outbox::*;

async fn count(store: &dyn Store) -> usize {
    all(store, everything()).await.len()
}

pub(crate) async fn all(store: &dyn Store, mut query: OrderQuery) -> Vec<Order> {
    let mut orders = Vec::new();
    loop {
        let Page { items, next } = store.orders(query.clone()).await.unwrap();
        assert!(items.len() <= query.limit);
        orders.extend(items);
        match next {
            Some(next) => query.before = Some(next),
            None => return orders,
        }
    }
}

pub(crate) async fn an_order_is_read_back_as_it_was_placed(store: &dyn Store) {
    let ids = ids();
    let full = Draft {
        customer_name: Name::parse("Ünï 客户 'quoted'"),
        currency: Currency::parse("EUR"),
        lines: (1..=40)
            .map(|n| Line {
                item_id: ItemId::parse(&format!("item-{n}")).filter(|_| n % 3 != 0),
                name: Name::parse(&format!("Item {n}")).filter(|_| n % 2 != 0 || n % 3 == 0),
                quantity: Quantity::parse(n).unwrap(),
                unit_price_minor: Money::from_minor(1_000_000_007),
            })
            .collect(),
        fulfil: false,
        metadata: Some(r#"{"note":"a\u0000b"}"#.into()),
        ..draft("cust1")
    };
    for draft in [
        full,
        draft("cust1"),
        Draft {
            customer_id: None,
            ..draft("x")
        },
    ] {
        let write_set = placing_at(&ids, NOW, None, draft);
        let order = placed(&write_set);
        assert_eq!(
            store.commit(Arc::new(write_set)).await.unwrap(),
            Committed::Done
        );
        assert_eq!(store.order(order.id).await.unwrap(), Some(order));
    }
}

pub(crate) async fn what_is_not_there_is_none(store: &dyn Store) {
    let ids = ids();
    let write_set = placing(&ids, "k");
    let order = placed(&write_set);
    let stranger = OrderId::new(domain::id::from_halves(
        domain::id::first_half(order.id.as_uuid()),
        domain::id::second_half(order.id.as_uuid()) ^ 1,
    ));
    assert_eq!(store.order(order.id).await.unwrap(), None);
    store.commit(Arc::new(write_set)).await.unwrap();
    assert_eq!(
        store.order(stranger).await.unwrap(),
        None,
        "all of the id counts"
    );
    assert_eq!(store.seen(&scope("other")).await.unwrap(), None);
    assert_eq!(store.events(stranger).await.unwrap(), []);
}

pub(crate) async fn a_key_is_taken_once_and_remembers_its_answer(store: &dyn Store) {
    let ids = ids();
    let write_set = placing(&ids, "k");
    let order = placed(&write_set);
    let remembered = Seen {
        fingerprint: fingerprint("{}"),
        reply: Reply {
            status: 201,
            body: Body::Rendered(1),
        },
        order: Some(order),
        created_at: NOW,
    };
    assert_eq!(
        store.commit(Arc::new(write_set)).await.unwrap(),
        Committed::Done
    );
    let again = store.commit(Arc::new(placing(&ids, "k"))).await.unwrap();
    assert_eq!(again, Committed::Seen(Box::new(remembered.clone())));
    assert_eq!(store.seen(&scope("k")).await.unwrap(), Some(remembered));

    let mut stored = placing(&ids, "stored");
    let reply = Reply {
        status: 202,
        body: Body::Stored(b"exactly \0 this".as_slice().into()),
    };
    stored.claim.as_mut().unwrap().reply = reply.clone();
    store.commit(Arc::new(stored)).await.unwrap();
    assert_eq!(
        store.seen(&scope("stored")).await.unwrap().unwrap().reply,
        reply
    );
    assert_eq!(count(store).await, 2);
}

pub(crate) async fn keys_are_compared_byte_for_byte_within_their_scope(store: &dyn Store) {
    let ids = ids();
    for key in ["k", "K", "k ", " k k", "k'", "k\"", "%", "_"] {
        let mut write_set = placing(&ids, "k");
        // Blanks around a header's value are cut off; as the key itself they count.
        write_set.claim.as_mut().unwrap().scope.key =
            Key::parse(format!("\"{key}\"").as_bytes()).unwrap();
        assert_eq!(
            store.commit(Arc::new(write_set)).await.unwrap(),
            Committed::Done,
            "{key:?}"
        );
    }
    let mut elsewhere = placing(&ids, "k");
    elsewhere.claim.as_mut().unwrap().scope.operation = Operation::PlaceContractOrder;
    assert_eq!(
        store.commit(Arc::new(elsewhere)).await.unwrap(),
        Committed::Done
    );
    let mut of_another = placing(&ids, "k");
    of_another.claim.as_mut().unwrap().scope.principal = Principal::new("shop");
    assert_eq!(
        store.commit(Arc::new(of_another)).await.unwrap(),
        Committed::Done
    );
    assert_eq!(count(store).await, 10);
}

pub(crate) async fn write_sets_at_once_take_a_key_once(store: &dyn Store) {
    let ids = ids();
    for round in 0..20 {
        let key = format!("k{round}");
        let write_sets: Vec<_> = (0..32).map(|_| placing(&ids, &key)).collect();
        let answers = together(store, write_sets).await;
        let done = answers
            .iter()
            .filter(|answer| **answer == Committed::Done)
            .count();
        assert_eq!(done, 1, "{answers:?}");
        let seen = store.seen(&scope(&key)).await.unwrap().unwrap();
        for answer in answers {
            assert!(answer == Committed::Done || answer == Committed::Seen(Box::new(seen.clone())));
        }
    }
    assert_eq!(count(store).await, 20);
}

/// Commits write sets at once, so that a store may group them.
pub(crate) async fn together(store: &dyn Store, write_sets: Vec<WriteSet>) -> Vec<Committed> {
    let mut waiting: Vec<_> = write_sets
        .into_iter()
        .map(|set| store.commit(Arc::new(set)))
        .collect();
    let mut answers: Vec<Option<Committed>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in waiting.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *answer = Some(ready.unwrap());
            }
        }
        if answers.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

pub(crate) async fn a_forgotten_key_is_free(store: &dyn Store) {
    let ids = ids();
    store.commit(Arc::new(placing(&ids, "k"))).await.unwrap();
    let at = |days: i64, millis: i64| NOW.plus_millis(days * DAY_MS + millis);
    let again = |now| placing_at(&ids, now, Some("k"), draft("cust1"));

    let seen = store.commit(Arc::new(again(at(2, 0)))).await.unwrap();
    assert!(
        matches!(seen, Committed::Seen(_)),
        "a tombstone still guards: {seen:?}"
    );
    let second = again(at(2, 1));
    let order = placed(&second);
    assert_eq!(
        store.commit(Arc::new(second)).await.unwrap(),
        Committed::Done
    );
    let newest = store.seen(&scope("k")).await.unwrap().unwrap();
    assert_eq!(newest.order_id(), Some(order.id));
}

pub(crate) async fn a_refused_write_set_writes_nothing(store: &dyn Store) {
    let ids = ids();
    let first = placing(&ids, "k");
    let mut second = placing(&ids, "other");
    second.changes[0] = first.changes[0].clone();
    store.commit(Arc::new(first)).await.unwrap();

    assert_eq!(
        store.commit(Arc::new(second)).await.unwrap(),
        Committed::Refused(0)
    );
    assert_eq!(store.seen(&scope("other")).await.unwrap(), None);
    assert_eq!(count(store).await, 1);
}

pub(crate) async fn a_refused_write_set_takes_no_neighbour_with_it(store: &dyn Store) {
    let ids = ids();
    let taken = placing(&ids, "taken");
    let event = taken.changes[1].clone();
    store.commit(Arc::new(taken)).await.unwrap();

    // Its event is another's: refused only after its order was written.
    let mut late = placing(&ids, "late");
    late.changes[1] = event;
    let mut group: Vec<_> = (0..10).map(|n| placing(&ids, &format!("k{n}"))).collect();
    group.insert(5, late);
    group.push(placing(&ids, "k3"));
    let answers = together(store, group).await;

    assert_eq!(answers[5], Committed::Refused(1));
    // One key came twice; which of the two took it is nobody's to say.
    let seen = [3, 11].map(|of| matches!(answers[of], Committed::Seen(_)));
    assert!(seen[0] != seen[1], "{answers:?}");
    let done = answers
        .iter()
        .filter(|answer| **answer == Committed::Done)
        .count();
    assert_eq!(done, 10);
    assert_eq!(store.seen(&scope("late")).await.unwrap(), None);
    assert_eq!(count(store).await, 11);
    a_sound_store(store).await;
}

pub(crate) async fn orders_are_listed_newest_first_in_pages_that_neither_skip_nor_repeat(
    store: &dyn Store,
) {
    let ids = ids();
    let write_sets: Vec<_> = (0..25).map(|n| placing(&ids, &format!("k{n}"))).collect();
    let mut placed: Vec<_> = write_sets.iter().map(placed).collect();
    placed.sort_by_key(|order| std::cmp::Reverse(order.id));
    together(store, write_sets).await;

    for limit in [1, 7, 24, 25, 26, 100] {
        let listed = all(
            store,
            OrderQuery {
                limit,
                ..everything()
            },
        )
        .await;
        assert_eq!(listed, placed, "{limit} a page");
        let first = store
            .orders(OrderQuery {
                limit,
                ..everything()
            })
            .await
            .unwrap();
        assert_eq!(first.next.is_some(), limit < 25, "{limit} a page");
    }
}

pub(crate) async fn orders_are_listed_by_customer_by_status_and_by_time(store: &dyn Store) {
    let ids = ids();
    let mut orders = Vec::new();
    for n in 0..30_i64 {
        let now = NOW.plus_millis(n * 1_000);
        let customer = if n % 3 == 0 { "ann" } else { "bob" };
        let write_set = placing_at(&ids, now, Some(&format!("k{n}")), draft(customer));
        orders.insert(0, placed(&write_set));
        store.commit(Arc::new(write_set)).await.unwrap();
    }
    let expect = |wanted: fn(&Order) -> bool| -> Vec<Order> {
        orders
            .iter()
            .filter(|order| wanted(order))
            .cloned()
            .collect()
    };
    for limit in [1, 3, 10, 100] {
        let query = OrderQuery {
            limit,
            ..everything()
        };
        let by_customer = OrderQuery {
            customer_id: CustomerId::parse("ann"),
            ..query.clone()
        };
        let ann = |order: &Order| order.customer_id == CustomerId::parse("ann");
        assert_eq!(all(store, by_customer.clone()).await, expect(ann));

        let by_status = OrderQuery {
            status: Some(Status::Created),
            ..query.clone()
        };
        assert_eq!(all(store, by_status).await, orders);
        let failed = OrderQuery {
            status: Some(Status::Failed),
            ..query.clone()
        };
        assert_eq!(all(store, failed).await, []);

        let bounds = OrderQuery {
            from: Some(OrderId::least_at(NOW.plus_millis(10_000))),
            before: Some(OrderId::least_at(NOW.plus_millis(20_000))),
            ..query.clone()
        };
        let between = |order: &Order| {
            let seconds = (order.created_at.as_millis() - NOW.as_millis()) / 1_000;
            (10..20).contains(&seconds)
        };
        assert_eq!(all(store, bounds.clone()).await, expect(between));
        let both = OrderQuery {
            customer_id: CustomerId::parse("ann"),
            ..bounds
        };
        let expected: Vec<_> = expect(between).into_iter().filter(ann).collect();
        assert_eq!(all(store, both.clone()).await, expected);
        for status in [Status::Created, Status::Failed] {
            let all_three = OrderQuery {
                status: Some(status),
                ..both.clone()
            };
            let mut expected = expected.clone();
            expected.retain(|order| order.status == status);
            assert_eq!(all(store, all_three).await, expected);
        }
    }
}

pub(crate) async fn an_order_has_its_first_event(store: &dyn Store) {
    let ids = ids();
    let write_set = placing(&ids, "k");
    let Change::Event(event) = write_set.changes[1].clone() else {
        panic!("{write_set:?}")
    };
    let event = domain::Event {
        traceparent: domain::trace::Trace::new(7, 8, 1),
        ..event
    };
    let mut write_set = write_set;
    write_set.changes[1] = Change::Event(event.clone());
    store.commit(Arc::new(write_set)).await.unwrap();
    assert_eq!(store.events(event.order_id).await.unwrap(), [event]);
}

pub(crate) async fn an_order_moves_on_from_the_version_that_is_there_and_its_events_are_chained(
    store: &dyn Store,
) {
    let ids = ids();
    let placing = placing_at(&ids, NOW, None, recorded_only());
    let order = placed(&placing);
    store.commit(Arc::new(placing)).await.unwrap();
    let labelled = |order: &Order, word: &str, seconds: i64| {
        let occasion = occasion(&ids, NOW.plus_millis(seconds * 1_000));
        recorded::label(order.clone(), Label::parse(word).unwrap(), occasion).unwrap()
    };

    let first = labelled(&order, "shipped", 1);
    let late = labelled(&order, "late", 2);
    let done = store.commit(Arc::new(first)).await.unwrap();
    assert_eq!(done, Committed::Done);
    let refused = store.commit(Arc::new(late)).await.unwrap();
    assert_eq!(
        refused,
        Committed::Refused(0),
        "it came from an old version"
    );
    let now = store.order(order.id).await.unwrap().unwrap();
    assert_eq!((now.version, now.newest_sequence), (2, 2));
    assert_eq!(now.label, Label::parse("shipped"));
    assert_eq!(now.updated_at, NOW.plus_millis(1_000));

    let mut gap = labelled(&now, "gap", 3);
    if let Change::Event(event) = &mut gap.changes[1] {
        event.sequence += 1;
    }
    let refused = store.commit(Arc::new(gap)).await.unwrap();
    assert_eq!(refused, Committed::Refused(0), "a sequence is left out");
    assert_eq!(store.order(order.id).await.unwrap(), Some(now.clone()));

    let hide = recorded::hide(now, occasion(&ids, NOW.plus_millis(4_000))).unwrap();
    let done = store.commit(Arc::new(hide)).await.unwrap();
    assert_eq!(done, Committed::Done);
    assert_eq!(count(store).await, 0, "hidden orders are in no list");
    let events = store.events(order.id).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.sequence,
                event.kind.as_str(),
                event.payload.as_deref(),
            )
        })
        .collect();
    let expected = [
        (1, "order.created.v1", None),
        (2, "order.labelled.v1", Some(r#"{"label":"shipped"}"#)),
        (3, "order.hidden.v1", None),
    ];
    assert_eq!(told, expected);
    a_sound_store(store).await;
}

pub(crate) async fn a_sound_store_has_no_findings(store: &dyn Store) {
    let ids = ids();
    a_sound_store(store).await;
    for n in 0..5 {
        store
            .commit(Arc::new(placing(&ids, &format!("k{n}"))))
            .await
            .unwrap();
    }
    store
        .commit(Arc::new(placing_at(&ids, NOW, None, draft("x"))))
        .await
        .unwrap();
    a_sound_store(store).await;
}

async fn a_sound_store(store: &dyn Store) {
    for check in Check::ALL {
        let page = store.audit(check, None).await.unwrap();
        assert_eq!(page.items, [], "{}", check.as_str());
    }
}

pub(crate) async fn a_reset_removes_orders_and_keeps_records(store: &dyn Store) {
    let ids = ids();
    let id = RecordId {
        kind: RecordKind::Secret,
        id: "cursor".into(),
    };
    let record = Change::Record {
        id: id.clone(),
        was: 0,
        body: Some(b"x".as_slice().into()),
    };
    store
        .commit(Arc::new(WriteSet {
            claim: None,
            changes: vec![record],
        }))
        .await
        .unwrap();
    for n in 0..3 {
        store
            .commit(Arc::new(placing(&ids, &format!("k{n}"))))
            .await
            .unwrap();
    }
    assert_eq!(store.reset().await.unwrap(), 3);
    assert_eq!(count(store).await, 0);
    assert_eq!(store.seen(&scope("k1")).await.unwrap(), None);
    assert!(store.records(&[id]).await.unwrap()[0].is_some());
    assert_eq!(
        store.commit(Arc::new(placing(&ids, "k1"))).await.unwrap(),
        Committed::Done
    );
    assert_eq!(store.reset().await.unwrap(), 1);
    assert_eq!(store.reset().await.unwrap(), 0);
    a_sound_store(store).await;
}

pub(crate) async fn hostile_text_is_only_text(store: &dyn Store) {
    let ids = ids();
    let text = "'); drop table order_rows;--";
    let write_set = placing_at(&ids, NOW, Some(text), draft(text));
    let order = placed(&write_set);
    store.commit(Arc::new(write_set)).await.unwrap();
    assert_eq!(store.order(order.id).await.unwrap(), Some(order.clone()));
    let query = OrderQuery {
        customer_id: order.customer_id.clone(),
        ..everything()
    };
    assert_eq!(all(store, query).await, [order]);
}

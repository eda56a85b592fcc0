//! The promises of a store that fulfilment rests on: wakes and their leases, stock, transfers.
//! Part of the contract that every backend is held to.

use crate::contract::together;
use crate::fixtures::{NOW, draft, ids, occasion, placed, placing, placing_at, recorded_only};
use domain::fulfil::{
    Answer, Call, Case, Decision, Inventory, Moment, Next, Retry, Rules, answered, next,
};
use domain::place::{Occasion, place};
use domain::product::Prices;
use domain::recorded;
use domain::stock::{Adjustment, Movement, StockLog, adjusted};
use domain::text::Label;
use domain::trace::Trace;
use domain::transfer::{Asset, TransferKind};
use domain::{
    Change, Consumer, Currency, Delayed, EventId, Ids, ItemId, Lease, Order, OrderId, Status,
    Stock, Timestamp, Wake, WriteSet,
};
use std::sync::Arc;
use store::{Check, Committed, LeaseClaim, Leased, Store, Which};

const LEASE_MS: i64 = 5_000;

pub(crate) fn pen() -> ItemId {
    ItemId::parse("pen").unwrap()
}

pub(crate) async fn commit(store: &dyn Store, changes: Vec<Change>) -> Committed {
    let write_set = WriteSet {
        claim: None,
        changes,
    };
    store.commit(Arc::new(write_set)).await.unwrap()
}

pub(crate) async fn lease(store: &dyn Store, now: Timestamp, max: usize) -> Leased {
    lease_which(store, now, Which::Due(max)).await
}

async fn lease_which(store: &dyn Store, now: Timestamp, which: Which) -> Leased {
    let claim = LeaseClaim {
        consumer: Consumer::Fulfil,
        which,
        now,
        until: now.plus_millis(LEASE_MS),
    };
    store.lease(claim).await.unwrap()
}

async fn sound(store: &dyn Store) {
    for check in Check::ALL {
        let found = store.audit(check, None).await.unwrap().items;
        assert_eq!(found, [], "{}", check.as_str());
    }
}

pub(crate) async fn place_at(store: &dyn Store, ids: &Ids, now: Timestamp) -> Order {
    let placing = placing_at(ids, now, None, draft("cust1"));
    let order = placed(&placing);
    store.commit(Arc::new(placing)).await.unwrap();
    order
}

/// Sets the stock of pens.
pub(crate) async fn stocked(store: &dyn Store, ids: &Ids, by: i64) -> Committed {
    let adjustment = Adjustment {
        id: ids.mint(NOW),
        item_id: pen(),
        was: store.stock(&[pen()]).await.unwrap()[0],
        log: store.records(&[StockLog::id(&pen())]).await.unwrap()[0].clone(),
        by,
        reason: "a test".into(),
        actor: "a test".into(),
        now: NOW,
    };
    commit(store, adjusted(adjustment).unwrap().1).await
}

/// Drives an order to its end, or until `until` says so.
pub(crate) async fn drive(
    store: &dyn Store,
    ids: &Ids,
    order: Order,
    until: impl Fn(&Order) -> bool,
) -> Order {
    let rules = Rules {
        inventory: Inventory::Own,
        tries_max: 5,
        tries_max_to_end: 20,
        deadline_ms: 900_000,
        retry: Retry {
            base_ms: 200,
            max_ms: 30_000,
        },
    };
    let mut event_ids = || EventId::new(ids.mint(NOW));
    let mut moment = Moment {
        now: NOW,
        random: 0,
        ids: &mut event_ids,
    };
    let transfers = store.transfers(order.id).await.unwrap();
    let mut case = Case {
        transfers,
        ..Case::new(order)
    };
    while !until(&case.order) {
        let decision: Decision = match next(&case, &rules, &mut moment) {
            Next::Rest => break,
            Next::Write(decision) => *decision,
            Next::Ask(Call { .. }) => answered(case, Answer::Done, &[pen()], &rules, &mut moment),
        };
        assert_eq!(commit(store, decision.changes).await, Committed::Done);
        case = decision.case;
        assert_eq!(
            store.order(case.order.id).await.unwrap().as_ref(),
            Some(&case.order)
        );
        assert_eq!(
            store.transfers(case.order.id).await.unwrap(),
            case.transfers
        );
    }
    case.order
}

pub(crate) async fn wakes_are_leased_when_they_are_due_the_longest_due_first(store: &dyn Store) {
    let ids = ids();
    assert_eq!(lease(store, NOW, 5).await, Leased::default());
    let mut orders = Vec::new();
    for second in [3, 1, 2] {
        orders.push(
            place_at(store, &ids, NOW.plus_millis(second * 1_000))
                .await
                .id,
        );
    }
    let early = lease(store, NOW, 5).await;
    assert_eq!(
        (early.entries.len(), early.next_due),
        (0, Some(NOW.plus_millis(1_000)))
    );
    let leased = lease(store, NOW.plus_millis(9_000), 2).await;
    let subjects: Vec<_> = leased.entries.iter().map(|lease| lease.subject).collect();
    assert_eq!(subjects, orders[1..]);
    let rest = lease(store, NOW.plus_millis(9_000), 5).await;
    assert_eq!(rest.entries.len(), 1, "what is leased is left alone");
    let again = lease(store, NOW.plus_millis(9_000 + LEASE_MS), 5).await;
    let mut counts = again.entries.iter().map(|it| (it.attempt, it.received));
    assert_eq!(again.entries.len(), 3);
    assert!(
        counts.all(|counts| counts == (2, 2)),
        "until its time is up"
    );
}

pub(crate) async fn a_lease_is_settled_or_delayed_only_by_whoever_has_it(store: &dyn Store) {
    let ids = ids();
    let order = place_at(store, &ids, NOW).await;
    let one = async |now| -> Lease { lease(store, now, 5).await.entries[0] };
    let lost = one(NOW).await;
    let held = one(NOW.plus_millis(LEASE_MS)).await;
    let delay = |lease, by| delayed(lease, by, Delayed::GivenBack(Some("away".into())));
    assert_eq!(
        commit(store, vec![Change::Settle(lost)]).await,
        Committed::Refused(0)
    );
    assert_eq!(
        commit(store, vec![delay(lost, 1)]).await,
        Committed::Refused(0)
    );
    assert_eq!(
        commit(store, vec![delay(held, 60_000)]).await,
        Committed::Done
    );
    let none = lease(store, NOW.plus_millis(59_999), 5).await;
    assert_eq!(none.next_due, Some(NOW.plus_millis(60_000)));
    for late in [
        Change::Settle(held),
        delayed(held, 1, Delayed::Kept),
        delay(held, 1),
    ] {
        let refused = commit(store, vec![late]).await;
        assert_eq!(refused, Committed::Refused(0), "nobody has it any more");
    }
    let again = one(NOW.plus_millis(60_000)).await;
    assert_eq!((again.attempt, again.received), (3, 1));

    // More to do: earlier than it was due, and it cannot be settled by who does not know of it.
    let wake = Wake {
        consumer: Consumer::Fulfil,
        subject: order.id,
        since: 1,
        head: again.head + 1,
        due_at: NOW,
    };
    commit(store, vec![Change::Wake(wake)]).await;
    assert_eq!(
        commit(store, vec![Change::Settle(again)]).await,
        Committed::Refused(0)
    );
    let newest = one(NOW).await;
    assert_eq!(
        commit(store, vec![Change::Settle(newest)]).await,
        Committed::Done
    );
    assert_eq!(
        lease(store, NOW.plus_millis(900_000), 5).await,
        Leased::default()
    );
}

fn delayed(lease: Lease, by: i64, how: Delayed) -> Change {
    Change::Delay {
        lease,
        due_at: NOW.plus_millis(by),
        how,
    }
}

pub(crate) async fn whoever_keeps_a_lease_has_it_and_changes_nothing_else(store: &dyn Store) {
    place_at(store, &ids(), NOW).await;
    let at = async |by| -> Lease { lease(store, NOW.plus_millis(by), 5).await.entries[0] };
    let first = at(0).await;
    let moved = |lease| Lease {
        since: 7,
        tries: 8,
        ..lease
    };
    let kept = delayed(moved(first), 70_000, Delayed::Kept);
    assert_eq!(commit(store, vec![kept]).await, Committed::Done);
    let none = lease(store, NOW.plus_millis(69_999), 5).await;
    assert_eq!(
        (&*none.entries, none.next_due),
        (&[][..], Some(NOW.plus_millis(70_000)))
    );
    let second = at(70_000).await;
    let figures = |it: Lease| (it.attempt, it.received, it.since, it.tries);
    assert_eq!(figures(second), (2, 2, first.since, first.tries));

    let gone_on = delayed(moved(second), 80_000, Delayed::GoneOn);
    assert_eq!(commit(store, vec![gone_on]).await, Committed::Done);
    let third = at(80_000).await;
    assert_eq!(
        figures(third),
        (3, 2, 7, 8),
        "something was written: it came once"
    );
    let settled = commit(store, vec![Change::Settle(third)]).await;
    assert_eq!(settled, Committed::Done);
}

pub(crate) async fn what_is_only_passed_on_counts_as_received_once(store: &dyn Store) {
    let order = place_at(store, &ids(), NOW).await;
    let received = async |which, after: i64| {
        let leased = lease_which(store, NOW.plus_millis(after * LEASE_MS), which).await;
        leased.entries.first().unwrap().received
    };
    // Handed over and again, by who does not know what becomes of it.
    assert_eq!(received(Which::DueToPassOn(1), 0).await, 1);
    assert_eq!(received(Which::DueToPassOn(1), 1).await, 1);
    // Worked on, in vain.
    assert_eq!(received(Which::Of(order.id), 1).await, 2);
    assert_eq!(received(Which::Due(1), 2).await, 3);
    assert_eq!(received(Which::DueToPassOn(1), 3).await, 3);
    let none_is_due = lease_which(store, NOW, Which::DueToPassOn(1)).await;
    assert_eq!(none_is_due.entries, []);
    assert_eq!(none_is_due.next_due, Some(NOW.plus_millis(4 * LEASE_MS)));
}

pub(crate) async fn one_order_is_leased_unless_it_waits_for_its_next_try(store: &dyn Store) {
    let ids = ids();
    let later = NOW.plus_millis(60_000);
    let order = place_at(store, &ids, later).await;
    let neighbour = place_at(store, &ids, NOW).await;
    let of = async |subject, now: Timestamp| -> Option<Lease> {
        let leased = lease_which(store, now, Which::Of(subject)).await;
        assert!(leased.entries.len() <= 1);
        leased.entries.first().copied()
    };
    let delay = async |lease, due_at, error| {
        let change = Change::Delay {
            lease,
            due_at,
            how: Delayed::GivenBack(error),
        };
        assert_eq!(commit(store, vec![change]).await, Committed::Done);
    };
    let nobodys = OrderId::new(ids.mint(NOW));
    assert_eq!(of(nobodys, NOW).await, None);

    let first = of(order.id, NOW).await.unwrap();
    assert_eq!((first.subject, first.attempt), (order.id, 1));
    let second = of(order.id, NOW).await.unwrap();
    assert_eq!((second.attempt, second.received), (2, 2), "taken over");
    let lost = commit(store, vec![Change::Settle(first)]).await;
    assert_eq!(lost, Committed::Refused(0));

    delay(second, later, None).await;
    let third = of(order.id, NOW).await.unwrap();
    assert_eq!((third.attempt, third.received), (3, 1), "due, not put off");
    delay(third, later, Some("away".into())).await;
    assert_eq!(of(order.id, NOW).await, None, "it waits");
    let fourth = of(order.id, later).await.unwrap();
    assert_eq!(of(order.id, NOW).await.map(|it| it.attempt), Some(5));
    assert_eq!(fourth.attempt, 4);

    let others = lease(store, NOW, 5).await.entries;
    let subjects: Vec<_> = others.iter().map(|lease| lease.subject).collect();
    assert_eq!(subjects, [neighbour.id], "its neighbour is as it was");
}

pub(crate) async fn a_wake_moves_the_signal(store: &dyn Store) {
    let ids = ids();
    let mut signal = store.signal();
    stocked(store, &ids, 5).await;
    assert!(!signal.has_changed().unwrap(), "there is nothing to do");
    store.commit(Arc::new(placing(&ids, "k"))).await.unwrap();
    signal.changed().await.unwrap();
}

pub(crate) async fn stock_never_goes_below_what_is_held_or_nothing(store: &dyn Store) {
    let ids = ids();
    assert_eq!(store.stock(&[pen()]).await.unwrap(), [None]);
    let moved = |on_hand, reserved, was| {
        Change::Stock(Movement {
            item_id: pen(),
            on_hand,
            reserved,
            was,
        })
    };
    for (on_hand, reserved) in [(0, 1), (-1, 0), (0, -1)] {
        let change = vec![moved(on_hand, reserved, None)];
        assert_eq!(commit(store, change).await, Committed::Refused(0));
    }
    stocked(store, &ids, 3).await;
    let (on_hand, reserved) = (3, 0);
    let there = Some(Stock { on_hand, reserved });
    assert_eq!(store.stock(&[pen()]).await.unwrap(), [there]);
    assert_eq!(
        commit(store, vec![moved(0, 4, None)]).await,
        Committed::Refused(0)
    );
    assert_eq!(
        commit(store, vec![moved(1, 0, Some(2))]).await,
        Committed::Refused(0)
    );

    let order = place_at(store, &ids, NOW).await;
    for reserved in [1, -1].repeat(5) {
        let change = vec![moved(0, reserved, None)];
        assert_eq!(commit(store, change).await, Committed::Done);
    }
    drive(store, &ids, order, |_| false).await;
    let on_hand = 1;
    assert_eq!(
        store.stock(&[pen()]).await.unwrap(),
        [Some(Stock { on_hand, reserved })]
    );
    sound(store).await;
}

pub(crate) async fn a_refused_movement_takes_no_neighbour_with_it(store: &dyn Store) {
    let ids = ids();
    stocked(store, &ids, 2).await;
    let write_set = |item_id: &str| {
        let mut placing = placing(&ids, &format!("of {item_id}"));
        let movement = Movement {
            item_id: ItemId::parse(item_id).unwrap(),
            on_hand: -2,
            reserved: 0,
            was: None,
        };
        placing.changes.push(Change::Stock(movement));
        Arc::new(placing)
    };
    let (taken, none) = tokio::join!(
        store.commit(write_set("pen")),
        store.commit(write_set("ink"))
    );
    assert_eq!(taken.unwrap(), Committed::Done);
    assert_eq!(none.unwrap(), Committed::Refused(3));
}

pub(crate) async fn what_is_stale_among_others_is_refused_and_the_others_are_done(
    store: &dyn Store,
) {
    let ids = ids();
    for n in 0..8 {
        place_at(store, &ids, NOW.plus_millis(n)).await;
    }
    let lost = lease(store, NOW.plus_millis(10), 8).await.entries;
    let held = lease(store, NOW.plus_millis(10 + LEASE_MS), 8)
        .await
        .entries;
    assert_eq!((lost.len(), held.len()), (8, 8));
    let of_lease = |n: usize| {
        let lease = if n.is_multiple_of(2) {
            held[n]
        } else {
            lost[n]
        };
        let delay = Change::Delay {
            lease,
            due_at: NOW.plus_millis(60_000),
            how: Delayed::GivenBack(None),
        };
        let settle = Change::Settle(lease);
        WriteSet {
            claim: None,
            changes: vec![if n < 4 { delay } else { settle }],
        }
    };
    let answers = together(store, (0..8).map(of_lease).collect()).await;
    let expected = [Committed::Done, Committed::Refused(0)];
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, expected[n % 2], "lease {n}");
    }

    let placings: Vec<WriteSet> = (0..8)
        .map(|_| placing_at(&ids, NOW, None, recorded_only()))
        .collect();
    let orders: Vec<Order> = placings.iter().map(placed).collect();
    together(store, placings).await;
    let labelled = |order: &Order, word: &str| {
        let occasion = occasion(&ids, NOW.plus_millis(100));
        recorded::label(order.clone(), Label::parse(word).unwrap(), occasion).unwrap()
    };
    for order in orders.iter().skip(1).step_by(2) {
        let first = store.commit(Arc::new(labelled(order, "first"))).await;
        assert_eq!(first.unwrap(), Committed::Done);
    }
    // Every other one comes from a version that is gone.
    let second = orders.iter().map(|order| labelled(order, "second"));
    let answers = together(store, second.collect()).await;
    for (n, (order, answer)) in orders.iter().zip(answers).enumerate() {
        assert_eq!(answer, expected[n % 2], "order {n}");
        let now = store.order(order.id).await.unwrap().unwrap();
        let word = ["second", "first"][n % 2];
        assert_eq!(now.label, Label::parse(word), "order {n}");
        assert_eq!(store.events(order.id).await.unwrap().len(), 2, "order {n}");
    }
}

pub(crate) async fn an_order_is_driven_to_its_end_and_all_of_it_is_kept(store: &dyn Store) {
    let ids = ids();
    stocked(store, &ids, 5).await;
    let order = place_at(store, &ids, NOW).await;
    let order = drive(store, &ids, order, |_| false).await;
    let kinds: Vec<_> = store.transfers(order.id).await.unwrap();
    let kinds: Vec<_> = kinds
        .iter()
        .map(|it| (it.kind, matches!(it.asset, Asset::Item(_)), it.amount))
        .collect();
    let expected = [
        (TransferKind::Pending, true, 2),
        (TransferKind::Pending, false, 300),
        (TransferKind::Posted(2), false, 300),
        (TransferKind::Posted(1), true, 2),
    ];
    assert_eq!(kinds, expected);
    let events = store.events(order.id).await.unwrap();
    let sequences: Vec<u32> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=order.newest_sequence).collect::<Vec<_>>());
    sound(store).await;

    // A late worker comes from an old version.
    let stale = Change::Order {
        was: order.version - 1,
        now: Box::new(order.clone()),
    };
    assert_eq!(commit(store, vec![stale]).await, Committed::Refused(0));
}

pub(crate) async fn an_order_keeps_its_trace_to_its_end_and_so_do_its_events(store: &dyn Store) {
    let ids = ids();
    stocked(store, &ids, 5).await;
    let trace = Trace::new(u128::MAX, 7, 1);
    let occasion = Occasion {
        traceparent: trace,
        ..occasion(&ids, NOW)
    };
    let prices = Prices::none(Currency::USD);
    let placing = place(draft("cust1"), &prices, occasion, None).unwrap();
    let order = placed(&placing);
    store.commit(Arc::new(placing)).await.unwrap();
    assert_eq!(store.order(order.id).await.unwrap().unwrap().trace, trace);

    let ended = drive(store, &ids, order, |_| false).await;
    assert_eq!((ended.status, ended.trace), (Status::Completed, trace));
    let events = store.events(ended.id).await.unwrap();
    assert!(events.len() > 2);
    assert!(
        events.iter().all(|event| event.traceparent == trace),
        "{events:?}"
    );

    let without = place_at(store, &ids, NOW).await;
    assert_eq!(store.order(without.id).await.unwrap().unwrap().trace, None);
}

pub(crate) async fn a_reset_keeps_what_is_on_hand_and_lets_go_of_what_is_held(store: &dyn Store) {
    let ids = ids();
    stocked(store, &ids, 5).await;
    let first = place_at(store, &ids, NOW).await;
    drive(store, &ids, first, |_| false).await;
    let second = place_at(store, &ids, NOW).await;
    drive(store, &ids, second, |order| order.version == 2).await;
    let (on_hand, reserved) = (3, 2);
    assert_eq!(
        store.stock(&[pen()]).await.unwrap(),
        [Some(Stock { on_hand, reserved })]
    );
    for _ in 0..2 {
        store.reset().await.unwrap();
        let reserved = 0;
        assert_eq!(
            store.stock(&[pen()]).await.unwrap(),
            [Some(Stock { on_hand, reserved })]
        );
        sound(store).await;
    }
    assert_eq!(
        lease(store, NOW.plus_millis(900_000), 5).await,
        Leased::default()
    );
}

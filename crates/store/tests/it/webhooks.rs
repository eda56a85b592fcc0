//! The promises of a store that webhooks rest on: who is woken by an event, and the log of the
//! tries. Part of the contract that every backend is held to.

use crate::fixtures::{NOW, ids, placed, placing};
use crate::outbox::{commit, drive, place_at, stocked};
use domain::webhook::{Disabled, Secret};
use domain::write_set::ROWS_MAX;
use domain::{
    Change, Consumer, Delayed, Delivery, DeliveryId, Endpoint, EndpointId, EventKind, Ids, Lease,
    Timestamp,
};
use std::sync::Arc;
use store::{Committed, DeliveryQuery, LeaseClaim, Store, Which};

pub(crate) fn endpoint(events: &[EventKind]) -> Endpoint {
    Endpoint {
        url: "https://example.org/".to_owned(),
        events: events.iter().map(|kind| kind.as_str().to_owned()).collect(),
        description: None,
        disabled: None,
        secrets: vec![Secret {
            key: "c2VjcmV0".to_owned(),
            until_ms: None,
        }],
        created_at_ms: 0,
        hands_over: false,
    }
}

pub(crate) async fn subscribed(store: &dyn Store, ids: &Ids, endpoint: &Endpoint) -> EndpointId {
    let id = EndpointId::new(ids.mint(NOW));
    let made = commit(store, vec![endpoint.change(id, 0)]).await;
    assert_eq!(made, Committed::Done);
    id
}

async fn leased(store: &dyn Store, id: EndpointId, now: Timestamp) -> Vec<Lease> {
    let claim = LeaseClaim {
        consumer: Consumer::Announce(id),
        which: Which::Due(10),
        now,
        until: now.plus_millis(1_000),
    };
    store.lease(claim).await.unwrap().entries
}

pub(crate) async fn an_event_wakes_more_endpoints_than_a_transaction_has_rows(store: &dyn Store) {
    let ids = ids();
    let mut all = Vec::new();
    for _ in 0..=ROWS_MAX {
        all.push(subscribed(store, &ids, &endpoint(&[])).await);
    }
    let placing = placing(&ids, "k");
    let order_id = placed(&placing).id;
    let placing = Arc::new(placing);
    for expected in [true, false] {
        let committed = store.commit(Arc::clone(&placing)).await.unwrap();
        assert_eq!(committed == Committed::Done, expected);
    }
    for id in all {
        let woken = leased(store, id, NOW).await;
        let woken: Vec<_> = woken.iter().map(|it| (it.subject, it.head)).collect();
        assert_eq!(woken, [(order_id, 1)]);
    }
}

pub(crate) async fn an_event_wakes_the_endpoints_that_want_it(store: &dyn Store) {
    let ids = ids();
    let all = subscribed(store, &ids, &endpoint(&[])).await;
    let ends = subscribed(store, &ids, &endpoint(&[EventKind::OrderCompleted])).await;
    let mut disabled = endpoint(&[]);
    disabled.disabled = Some((Disabled::ByHand, 0));
    let none = subscribed(store, &ids, &disabled).await;
    stocked(store, &ids, 5).await;
    let order = place_at(store, &ids, NOW).await;

    let wakes = leased(store, all, NOW).await;
    assert_eq!(wakes.len(), 1);
    let first = wakes[0];
    assert_eq!(
        (first.subject, first.since, first.head, first.tries),
        (order.id, 1, 1, 0)
    );
    assert_eq!(leased(store, ends, NOW).await, []);
    assert_eq!(leased(store, none, NOW).await, []);

    // More happens while it is told: whoever has the wake keeps it, and may not settle it.
    let order = drive(store, &ids, order, |_| false).await;
    assert_eq!(leased(store, all, NOW).await, []);
    let settled = commit(store, vec![Change::Settle(first)]).await;
    assert_eq!(settled, Committed::Refused(0));
    let told = Change::Delay {
        lease: Lease {
            since: 2,
            tries: 3,
            ..first
        },
        due_at: NOW,
        how: Delayed::GivenBack(None),
    };
    assert_eq!(commit(store, vec![told]).await, Committed::Done);
    let second = leased(store, all, NOW).await[0];
    assert_eq!(
        (second.since, second.head, second.tries),
        (2, order.newest_sequence, 3)
    );
    let end = leased(store, ends, NOW).await[0];
    assert_eq!(
        (end.since, end.head),
        (order.newest_sequence, order.newest_sequence)
    );

    // From the commit on that changes who is told.
    let version = 1;
    commit(store, vec![disabled.change(all, version)]).await;
    place_at(store, &ids, NOW).await;
    commit(store, vec![Change::Settle(second)]).await;
    let later = NOW.plus_millis(10_000);
    assert_eq!(leased(store, all, later).await, []);
}

pub(crate) async fn an_endpoint_that_is_forgotten_has_no_wakes_and_no_log(store: &dyn Store) {
    let ids = ids();
    let [kept, gone] = [0, 1].map(|_| endpoint(&[]));
    let kept = subscribed(store, &ids, &kept).await;
    let gone = subscribed(store, &ids, &gone).await;
    let order = place_at(store, &ids, NOW).await;
    let event = store.events(order.id).await.unwrap().remove(0);
    for endpoint_id in [kept, gone] {
        let delivery = Delivery {
            id: DeliveryId::new(ids.mint(NOW)),
            endpoint_id,
            event_id: event.id,
            kind: event.kind,
            order_id: order.id,
            number: 1,
            status: Some(200),
            error: None,
            duration_ms: 7,
        };
        commit(store, vec![Change::Delivered(delivery)]).await;
    }
    commit(store, vec![Change::Forget(gone)]).await;
    assert_eq!(leased(store, gone, NOW).await, []);
    assert_eq!(leased(store, kept, NOW).await.len(), 1);
    for (endpoint_id, count) in [(kept, 1), (gone, 0)] {
        let query = DeliveryQuery {
            endpoint_id,
            succeeded: false,
            before: None,
            limit: 5,
        };
        let page = store.deliveries(query).await.unwrap();
        assert_eq!(page.items.len(), count);
    }
}

pub(crate) async fn the_log_of_an_endpoint_is_read_in_pages_the_newest_first(store: &dyn Store) {
    let ids = ids();
    let endpoint_id = EndpointId::new(ids.mint(NOW));
    let order = place_at(store, &ids, NOW).await;
    let event = store.events(order.id).await.unwrap().remove(0);
    let mut written = Vec::new();
    for number in 1..=7 {
        let failed = number % 3 == 0;
        let delivery = Delivery {
            id: DeliveryId::new(ids.mint(NOW)),
            endpoint_id,
            event_id: event.id,
            kind: event.kind,
            order_id: order.id,
            number,
            status: (number != 3).then_some(if failed { 500 } else { 204 }),
            error: failed.then(|| "no answer in time".into()),
            duration_ms: number,
        };
        commit(store, vec![Change::Delivered(delivery.clone())]).await;
        written.insert(0, delivery);
    }
    for (succeeded, expected) in [
        (false, written.clone()),
        (
            true,
            written.into_iter().filter(Delivery::succeeded).collect(),
        ),
    ] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let query = DeliveryQuery {
                endpoint_id,
                succeeded,
                before,
                limit: 3,
            };
            let page = store.deliveries(query).await.unwrap();
            found.extend(page.items);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

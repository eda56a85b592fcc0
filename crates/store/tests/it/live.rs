//! The promises of a store about what happens: events in the order of their ids, and what is
//! committed as it is. Part of the contract that every backend is held to.

use crate::fixtures::{ids, placed, placing};
use domain::{Change, Event, EventId, Timestamp, WriteSet};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{EventQuery, Live, Store};

pub(crate) fn event_of(write_set: &WriteSet) -> Event {
    let event = write_set.changes.iter().find_map(|change| match change {
        Change::Event(event) => Some(event.clone()),
        _ => None,
    });
    event.unwrap()
}

pub(crate) async fn events_of_all_orders_are_read_by_their_ids_in_pages(store: &dyn Store) {
    let ids = ids();
    let mut placings: Vec<WriteSet> = (0..7).map(|n| placing(&ids, &format!("k{n}"))).collect();
    let mut expected: Vec<Event> = placings.iter().map(event_of).collect();
    // Committed in another order than they were minted in.
    placings.reverse();
    for placing in placings {
        store.commit(Arc::new(placing)).await.unwrap();
    }
    expected.sort_by_key(|event| event.id);

    let mut found = Vec::new();
    let mut after = Some(EventId::least_at(Timestamp::EPOCH));
    while let Some(from) = after {
        let query = EventQuery {
            after: from,
            limit: 3,
        };
        let page = store.events_after(query).await.unwrap();
        assert!(page.items.len() <= 3);
        found.extend(page.items);
        after = page.next;
    }
    assert_eq!(found, expected);
    let since = EventQuery {
        after: expected[4].id,
        limit: 3,
    };
    let page = store.events_after(since).await.unwrap();
    assert_eq!((&page.items[..], page.next), (&expected[5..], None));
}

pub(crate) async fn what_is_committed_is_told_and_nothing_else(store: &dyn Store) {
    let ids = ids();
    let before = placing(&ids, "before");
    store.commit(Arc::new(before.clone())).await.unwrap();
    let mut live = store.live().await.unwrap();
    // Its key is taken: nothing is written.
    store.commit(Arc::new(before)).await.unwrap();
    let placings = ["a", "b"].map(|key| placing(&ids, key));
    for placing in placings.clone() {
        store.commit(Arc::new(placing)).await.unwrap();
    }
    let expected: BTreeSet<_> = placings.iter().map(|placing| placed(placing).id).collect();
    let mut told = BTreeSet::new();
    while told.len() < 2 {
        let Live::Group(group) = live.recv().await.unwrap() else {
            panic!("nothing was missed");
        };
        told.extend(group.iter().map(|write_set| placed(write_set).id));
    }
    assert_eq!(told, expected);
    store.reset().await.unwrap();
    assert!(matches!(live.recv().await.unwrap(), Live::Gap));
}

//! The promise of a store about orders that come from other systems. Part of the contract that every
//! backend is held to.

use crate::contract::all;
use crate::fixtures::{NOW, draft, everything, ids, occasion, placed, placing};
use domain::place::{Occasion, place};
use domain::product::Prices;
use domain::{Currency, CustomerId, OrderId};
use std::sync::Arc;
use store::{Committed, OrderQuery, Store};

/// The ids of orders as other systems named them, the newest first as lists have it.
pub(crate) const OF_OTHERS: [&str; 4] = [
    "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
    "0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d",
    "00000000-0000-7007-8000-000000000000",
    "00000000-0000-7001-8000-000000000000",
];

pub(crate) async fn an_order_of_another_system_keeps_its_id(store: &dyn Store) {
    let ids = ids();
    let own = placing(&ids, "own");
    store.commit(Arc::new(own)).await.unwrap();
    for id in OF_OTHERS {
        let order_id = OrderId::parse(id).unwrap();
        let occasion = Occasion {
            order_id,
            ..occasion(&ids, NOW)
        };
        let prices = Prices::none(Currency::USD);
        let placing = place(draft("cust1"), &prices, occasion, None).unwrap();
        let order = placed(&placing);
        assert_eq!(
            store.commit(Arc::new(placing)).await.unwrap(),
            Committed::Done
        );
        assert_eq!(store.order(order_id).await.unwrap(), Some(order));
        assert_eq!(store.events(order_id).await.unwrap().len(), 1);
        // The same in another version is another id.
        let other = if id.contains("-4") { "-7" } else { "-4" };
        let stranger = id.replacen(if other == "-7" { "-4" } else { "-7" }, other, 1);
        let stranger = OrderId::parse(&stranger).unwrap();
        assert_eq!(store.order(stranger).await.unwrap(), None);
    }
    are_listed(store).await;
}

/// Lists have them all, by their ids.
pub(crate) async fn are_listed(store: &dyn Store) {
    let own = placed(&placing(&ids(), "own")).id.to_string();
    let expected = [OF_OTHERS[0], OF_OTHERS[1], &own, OF_OTHERS[2], OF_OTHERS[3]];
    for customer_id in [None, CustomerId::parse("cust1")] {
        let query = OrderQuery {
            customer_id,
            limit: 2,
            ..everything()
        };
        let listed: Vec<String> = all(store, query)
            .await
            .iter()
            .map(|order| order.id.to_string())
            .collect();
        assert_eq!(listed, expected);
    }
}

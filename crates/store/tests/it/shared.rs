//! The promises of a store that many processes share. `shared!(name, open)` makes one test of each.

use crate::contract::Fresh;
use crate::fixtures::{NOW, Still, draft, everything, ids, placed, placing, placing_at};
use crate::live::event_of;
use crate::outbox::lease;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::cache::Cache;
use store::open::{Access, Options};
use store::{Committed, Live, OpenError, Store};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

/// Two processes that have opened one store.
pub(crate) type Two = (Arc<dyn Store>, Arc<dyn Store>);

/// Opens a store without a cache in front of it.
pub(crate) async fn open(url: &str, access: Access) -> Result<Arc<dyn Store>, OpenError> {
    let options = Options {
        url: url.to_owned(),
        access,
        customer_index: true,
        cache: Arc::new(Cache::off()),
    };
    store::open(&options, &Still).await
}

/// A store that nobody has opened yet.
pub(crate) async fn fresh(url: &str) -> Fresh {
    Fresh {
        store: open(url, Access::Own).await.unwrap(),
        _keep: Box::new(()),
    }
}

/// One that two processes open at once: both find no tables, and one of them makes them.
pub(crate) async fn two(url: &str) -> Two {
    let open = || Box::pin(open(url, Access::Own));
    let (one, other) = tokio::join!(open(), open());
    (one.unwrap(), other.unwrap())
}

/// Who only reads is refused with `words` where nobody has served yet, and reads afterwards.
pub(crate) async fn a_reader_finds_no_tables(url: &str, words: &str) {
    let refused = open(url, Access::Read).await;
    let said = refused.err().expect("it is refused").to_string();
    assert!(said.contains(words), "{said}");
    let owner = open(url, Access::Own).await.unwrap();
    let made = owner.stats().await.unwrap().schema_version;
    owner.close().await.unwrap();
    let reader = open(url, Access::Read).await.unwrap();
    let read = reader.stats().await.unwrap().schema_version;
    assert!(read == made && made > 0, "{read} {made}");
}

/// One test a promise.
macro_rules! shared {
    ($backend:ident, $open:path) => {
        mod $backend {
            use crate::shared as promises;
            $crate::shared::shared!(@each $open,
                of_two_processes_one_takes_a_key,
                of_two_processes_one_leases_a_wake,
                what_another_process_commits_is_told,
            );
        }
    };
    (@each $open:path, $($promise:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            if let Some(two) = $open().await {
                promises::$promise(&two).await;
            }
        })*
    };
}
pub(crate) use shared;

pub(crate) async fn of_two_processes_one_takes_a_key((one, other): &Two) {
    let ids = ids();
    for round in 0..20 {
        let key = format!("k{round}");
        let placings = [placing(&ids, &key), placing(&ids, &key)];
        let [first, second] = placings.clone().map(Arc::new);
        let (first, second) = tokio::join!(one.commit(first), other.commit(second));
        let (winner, seen) = match (first.unwrap(), second.unwrap()) {
            (Committed::Done, Committed::Seen(seen)) => (&placings[0], seen),
            (Committed::Seen(seen), Committed::Done) => (&placings[1], seen),
            both => panic!("{both:?}"),
        };
        assert_eq!(seen.order, Some(placed(winner)));
    }
    assert_eq!(other.orders(everything()).await.unwrap().items.len(), 20);
}

pub(crate) async fn of_two_processes_one_leases_a_wake((one, other): &Two) {
    let ids = ids();
    let placings: Vec<_> = (0..50).map(|n| placing(&ids, &format!("k{n}"))).collect();
    let all: BTreeSet<_> = placings.iter().map(|it| placed(it).id).collect();
    for placing in placings {
        one.commit(Arc::new(placing)).await.unwrap();
    }
    let mut leased = Vec::new();
    while leased.len() < all.len() {
        let (mine, theirs) = tokio::join!(lease(&**one, NOW, 7), lease(&**other, NOW, 7));
        leased.extend(mine.entries.into_iter().chain(theirs.entries));
    }
    let subjects: Vec<_> = leased.iter().map(|lease| lease.subject).collect();
    assert_eq!(subjects.len(), all.len(), "one was leased twice");
    assert_eq!(BTreeSet::from_iter(subjects), all);
}

pub(crate) async fn what_another_process_commits_is_told((one, other): &Two) {
    let ids = ids();
    // Minted before all others, and committed last.
    let late = placing_at(&ids, NOW.plus_millis(-2_000), Some("late"), draft("cust1"));
    one.commit(Arc::new(placing(&ids, "before"))).await.unwrap();
    let mut live = other.live().await.unwrap();
    let own = placing(&ids, "own");
    let theirs = placing(&ids, "theirs");
    other.commit(Arc::new(own.clone())).await.unwrap();
    // Its key is taken, by itself: it was told, and is not told again.
    other.commit(Arc::new(own.clone())).await.unwrap();
    one.commit(Arc::new(theirs.clone())).await.unwrap();
    let mut told = told(&mut live, 2).await;
    one.commit(Arc::new(late.clone())).await.unwrap();
    told.extend(self::told(&mut live, 1).await);
    let expected = [own, theirs, late].map(|it| event_of(&it).id);
    assert_eq!(told.len(), 3, "one was told twice");
    assert_eq!(BTreeSet::from_iter(told), BTreeSet::from(expected));
}

/// The ids of the next events that are told.
async fn told(live: &mut Receiver<Live>, count: usize) -> Vec<domain::EventId> {
    let mut told = Vec::new();
    while told.len() < count {
        let next = timeout(Duration::from_mins(1), live.recv()).await;
        match next.expect("it is told in time").unwrap() {
            Live::Group(group) => told.extend(group.iter().map(|it| event_of(it).id)),
            Live::Events(events) => told.extend(events.iter().map(|event| event.id)),
            Live::Gap => panic!("nothing was missed"),
        }
    }
    told
}

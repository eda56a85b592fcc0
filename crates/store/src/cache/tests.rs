use super::{Cache, Entry, Source, View};
use domain::OrderId;
use domain::id::from_halves;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

const TTL: Duration = Duration::from_secs(30);

fn order(number: u64) -> OrderId {
    OrderId::new(from_halves(number, number))
}

fn entry(text: &str) -> Entry {
    Entry {
        head: "".into(),
        body: format!("{{\"text\":\"{text}\"}}").into(),
    }
}

/// Reads `view`, where the store would say `text`.
async fn read(cache: &Cache, view: View, text: &str) -> (Entry, Source) {
    let fill = async { Ok::<_, ()>(Some(entry(text))) };
    let (entry, source) = cache.read(view, fill).await.unwrap();
    (entry.unwrap(), source)
}

#[tokio::test]
async fn an_answer_is_kept_until_something_changes() {
    let cache = Cache::in_process(TTL, 1 << 20);
    let views = [
        View::List,
        View::V1List("limit=1".into()),
        View::Detail(order(1)),
        View::V1Detail(order(1)),
        View::Detail(order(2)),
    ];
    for view in &views {
        let miss = read(&cache, view.clone(), "old").await;
        assert_eq!(miss, (entry("old"), Source::Miss));
        let hit = read(&cache, view.clone(), "new").await;
        assert_eq!(hit, (entry("old"), Source::Hit));
    }

    cache.outdate(vec![order(1)], || ());

    for view in &views[..4] {
        let miss = read(&cache, view.clone(), "new").await;
        assert_eq!(miss, (entry("new"), Source::Miss));
    }
    let other = read(&cache, views[4].clone(), "new").await;
    assert_eq!(other, (entry("old"), Source::Hit), "order 2 did not change");
    cache.outdate_all(|| ());
    let other = read(&cache, views[4].clone(), "new").await;
    assert_eq!(other, (entry("new"), Source::Miss));
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_kept_after_it() {
    let cache = Cache::in_process(TTL, 1 << 20);
    for view in [View::List, View::Detail(order(1))] {
        let fill = async {
            let old = entry("old");
            cache.outdate(vec![order(1)], || ());
            Ok::<_, ()>(Some(old))
        };
        let (raced, _) = cache.read(view.clone(), fill).await.unwrap();
        assert_eq!(raced, Some(entry("old")), "it was asked for before");
        let now = read(&cache, view, "new").await;
        assert_eq!(now, (entry("new"), Source::Miss));
    }
}

#[tokio::test]
async fn many_who_miss_wait_for_one_who_reads() {
    let cache = Arc::new(Cache::in_process(TTL, 1 << 20));
    let (reads, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let (cache, reads, go) = (Arc::clone(&cache), Arc::clone(&reads), Arc::clone(&go));
            async move {
                let fill = async {
                    reads.fetch_add(1, Ordering::Relaxed);
                    go.notified().await;
                    Ok::<_, ()>(Some(entry("once")))
                };
                cache.read(View::List, fill).await.unwrap().0
            }
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for reader in readers {
        tasks.spawn(reader);
    }
    while reads.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    go.notify_waiters();
    while let Some(read) = tasks.join_next().await {
        assert_eq!(read.unwrap(), Some(entry("once")));
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_not_there_or_failed_is_not_kept() {
    let cache = Cache::in_process(TTL, 1 << 20);
    let view = View::Detail(order(1));
    let none = cache.read(view.clone(), async { Ok::<_, ()>(None) }).await;
    assert_eq!(none, Ok((None, Source::Miss)));
    let failed = cache.read(view.clone(), async { Err("away") }).await;
    assert_eq!(failed, Err("away"));
    assert_eq!(read(&cache, view, "new").await.1, Source::Miss);
}

#[tokio::test]
async fn an_answer_ends_and_memory_is_bounded() {
    let short = Cache::in_process(Duration::ZERO, 1 << 20);
    read(&short, View::List, "old").await;
    let again = read(&short, View::List, "new").await;
    assert_eq!(again, (entry("new"), Source::Miss));

    let small = Cache::in_process(TTL, 100_000);
    for number in 0..10_000 {
        read(&small, View::Detail(order(number)), "some text").await;
    }
    assert!(small.stats().bytes <= 100_000, "{:?}", small.stats());
    assert!(small.stats().entries > 10, "{:?}", small.stats());
}

#[tokio::test]
async fn a_cache_that_is_off_or_not_connected_is_bypassed() {
    let (away, driver) = Cache::redis("redis://127.0.0.1:1/0", TTL, 1 << 20).unwrap();
    for cache in [Cache::off(), away] {
        assert_eq!(read(&cache, View::List, "a").await.1, Source::Bypass);
        assert_eq!(read(&cache, View::List, "b").await.0, entry("b"));
        let (answer, answered) = tokio::sync::oneshot::channel();
        cache.outdate(Vec::new(), move || {
            let _sent = answer.send(());
        });
        answered.await.unwrap();
    }
    drop(driver);
    assert!(Cache::redis("http://127.0.0.1", TTL, 1).is_err());
}

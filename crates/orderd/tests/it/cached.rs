//! Reads that come from the cache, in process.

use crate::service::{ORDER, PASSWORD, Service};
use serde_json::json;
use store::faulty::{Fault, Faulty};

const BASKET: &str = r#"{"customer_name":"Alice","items":[{"name":"Pen","quantity":2}]}"#;

/// Where the answer to a read came from.
async fn source(service: &Service, path: &str) -> String {
    let answer = service.get(path).await;
    answer.header("x-cache").unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_second_read_is_the_first_again() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    for path in [
        format!("/v1/orders/{id}"),
        format!("/orders/{id}"),
        "/orders".to_owned(),
        "/v1/orders?limit=5".to_owned(),
        "/v1/orders?customer_id=cust1".to_owned(),
    ] {
        let first = service.get(&path).await;
        assert_eq!(first.header("x-cache"), Some("miss"), "{path}");
        let second = service.get(&path).await;
        assert_eq!(second.header("x-cache"), Some("hit"), "{path}");
        assert_eq!((second.status, &second.body), (200, &first.body));
        for name in ["etag", "link", "content-type"] {
            assert_eq!(second.header(name), first.header(name), "{path} {name}");
        }
    }
    let metrics = service.get("/metrics").await.body;
    assert!(
        metrics.contains(r#"orderd_cache_requests_total{result="hit"} 5"#),
        "{metrics}"
    );
    let stats = service.get("/v1/cache").await.json();
    assert_eq!((&stats["hits"], &stats["misses"]), (&json!(5), &json!(5)));
    assert_eq!(
        (&stats["kind"], &stats["entries"]),
        (&json!("in process"), &json!(5))
    );

    let flushed = service.send("DELETE", "/v1/cache", &[], "").await;
    assert_eq!(flushed.status, 204);
    assert_eq!(source(&service, "/orders").await, "miss");
}

#[tokio::test]
async fn a_version_at_hand_is_told_from_the_cache_as_well() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let path = format!("/v1/orders/{id}");
    for expected in ["miss", "hit"] {
        let answer = service
            .send("GET", &path, &[("if-none-match", "\"1\"")], "")
            .await;
        assert_eq!(
            (answer.status, answer.header("x-cache")),
            (304, Some(expected))
        );
    }
}

#[tokio::test]
async fn every_change_is_seen_at_once() {
    let service = Service::new().await;
    let one = service
        .send("POST", "/orders", &[], BASKET)
        .await
        .field("order_id");
    let two = service
        .send("POST", "/orders", &[], BASKET)
        .await
        .field("order_id");
    let views = [
        "/orders".to_owned(),
        "/v1/orders".to_owned(),
        format!("/orders/{one}"),
        format!("/v1/orders/{one}"),
        format!("/orders/{two}"),
    ];
    let password = [("x-admin-password", PASSWORD)];
    let patch = format!("/orders/{one}/status");
    let delete = format!("/orders/{one}");
    for (what, method, path, body, outdated) in [
        ("place", "POST", "/orders", BASKET, 2),
        ("label", "PATCH", &*patch, r#"{"status":"x"}"#, 4),
        ("seed", "POST", "/admin/seed", "1", 2),
        ("delete", "DELETE", &*delete, "", 2),
        ("reset", "POST", "/admin/reset", "", 2),
    ] {
        for view in &views {
            service.get(view).await;
        }
        let answer = service.send(method, path, &password, body).await;
        assert!(answer.status < 300, "{what}: {}", answer.body);
        for view in &views[..outdated] {
            assert_eq!(source(&service, view).await, "miss", "{what}: {view}");
        }
    }
    assert_eq!(
        service.get(&views[4]).await.status,
        404,
        "removed by the reset"
    );
    assert_eq!(service.get("/orders").await.json()["total_orders"], 0);
}

#[tokio::test]
async fn what_is_not_there_is_not_kept() {
    let service = Service::new().await;
    let path = "/orders/019e72e2-8400-7001-8000-000000000001";
    for _ in 0..2 {
        service.get(path).await.assert_problem(404, "not_found");
    }
    assert_eq!(service.get("/v1/cache").await.json()["entries"], 0);
}

#[tokio::test]
async fn who_goes_through_all_pages_leaves_nothing_in_the_cache() {
    let service = Service::new().await;
    for key in ["a", "b"] {
        service.place(key, ORDER).await;
    }
    let first = service.get("/v1/orders?limit=1").await.json();
    let next = first["next_cursor"].as_str().unwrap();
    let path = format!("/v1/orders?limit=1&cursor={next}");
    assert_eq!(source(&service, &path).await, "bypass");
    assert_eq!(source(&service, &path).await, "bypass");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_ask_at_once_read_the_store_once() {
    let faulty = std::sync::OnceLock::new();
    let service = Service::over(
        |_| (),
        |store| {
            let counting = std::sync::Arc::new(Faulty::new(store, Fault::Unavailable, u64::MAX));
            faulty.set(std::sync::Arc::clone(&counting)).ok();
            counting
        },
    )
    .await;
    let calls = || faulty.get().unwrap().calls();
    service.place("k", ORDER).await;
    let before = calls();
    let service = std::sync::Arc::new(service);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let service = std::sync::Arc::clone(&service);
        tasks.spawn(async move { service.get("/orders").await.status });
    }
    assert!(tasks.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(calls() - before, 1);
}

#[tokio::test]
async fn a_store_that_fails_once_leaves_no_failure_in_the_cache() {
    let service = Service::over(
        |_| (),
        |store| std::sync::Arc::new(Faulty::new(store, Fault::Unavailable, 0)),
    )
    .await;
    service
        .get("/orders")
        .await
        .assert_problem(503, "unavailable");
    let second = service.get("/orders").await;
    assert_eq!(
        (second.status, second.header("x-cache")),
        (200, Some("miss"))
    );
}

//! `/v1/orders`: placing, reading, listing, batches.

use crate::service::{ORDER, Service};
use serde_json::{Value, json};

#[tokio::test]
async fn a_placed_order_is_answered_whole() {
    let service = Service::new().await;
    let answer = service.place("k", ORDER).await;

    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.body,
        "{\"order_id\":\"019e7044-8800-7001-8000-000000000001\",\"status\":\"created\",\
         \"version\":1,\"customer_id\":\"cust1\",\"customer_name\":null,\"currency\":\"USD\",\
         \"lines\":[{\"line_number\":1,\"item_id\":\"pen\",\"name\":null,\"quantity\":2,\
         \"unit_price_minor\":0,\"total_minor\":0}],\"total_minor\":0,\"captured_minor\":0,\
         \"refunded_minor\":0,\"failure\":null,\"fulfil\":true,\"label\":null,\
         \"created_at\":\"2026-05-28T20:26:40.000Z\",\"updated_at\":\"2026-05-28T20:26:40.000Z\",\
         \"metadata\":null}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let id = answer.field("order_id");
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/v1/orders/{id}"))
    );

    let read = service.get(&format!("/v1/orders/{id}")).await;
    assert_eq!((read.status, &read.body), (200, &answer.body));
    assert_eq!(read.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn all_that_a_client_may_say_is_kept() {
    let service = Service::new().await;
    let body = json!({
        "customer_id": "cust1", "customer_name": "Žofie", "currency": "EUR", "fulfil": false,
        "lines": [{"name": "Pen", "quantity": 1}, {"item_id": "ink", "name": null, "quantity": 1e3}],
        "expected_total_minor": 0, "metadata": {"note": "a\tb", "n": 1.50},
    });
    let order = service.place("k", &body.to_string()).await.json();

    assert_eq!(order["customer_name"], "Žofie");
    assert_eq!(order["currency"], "EUR");
    assert_eq!(order["fulfil"], false);
    assert_eq!(order["lines"][1]["quantity"], 1000);
    assert_eq!(order["metadata"], body["metadata"]);
}

#[tokio::test]
async fn a_total_that_was_not_expected_is_refused() {
    let service = Service::new().await;
    let body = ORDER.replacen('{', r#"{"expected_total_minor":5,"#, 1);
    service
        .place("k", &body)
        .await
        .assert_problem(409, "price_changed");
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn a_version_at_hand_is_not_sent_again() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let path = format!("/v1/orders/{id}");
    for (tag, status) in [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("\"0\", \"1\"", 304),
        ("*", 304),
        ("\"2\"", 200),
    ] {
        let answer = service
            .send("GET", &path, &[("if-none-match", tag)], "")
            .await;
        assert_eq!(answer.status, status, "{tag}");
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert_eq!(answer.body.is_empty(), status == 304);
    }
}

#[tokio::test]
async fn what_is_no_order_is_not_found() {
    let service = Service::new().await;
    for id in [
        "019e72e2-8400-7001-8000-000000000001",
        "1",
        "does-not-exist",
        "%ff",
        "'--",
    ] {
        service
            .get(&format!("/v1/orders/{id}"))
            .await
            .assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let answer = service
        .send("HEAD", &format!("/v1/orders/{id}"), &[], "")
        .await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
    assert_eq!(answer.header("etag"), Some("\"1\""));
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|order| order["order_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_list_is_paged_newest_first_without_gaps_or_repeats() {
    let service = Service::new().await;
    let mut placed = Vec::new();
    for number in 0..5 {
        placed.push(
            service
                .place(&format!("k{number}"), ORDER)
                .await
                .field("order_id"),
        );
    }
    placed.reverse();

    let mut listed = Vec::new();
    let mut path = "/v1/orders?limit=2".to_owned();
    loop {
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = answer.json();
        listed.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(answer.header("link"), None);
            break;
        };
        path = format!("/v1/orders?limit=2&cursor={cursor}");
        assert_eq!(
            answer.header("link"),
            Some(&*format!("<{path}>; rel=\"next\""))
        );
    }
    assert_eq!(listed, placed);
}

#[tokio::test]
async fn a_list_is_filtered_by_status_customer_and_time() {
    let service = Service::new().await;
    let first = service.place("k1", ORDER).await.field("order_id");
    service.clock.move_by(60_000);
    let second = service
        .place("k2", &ORDER.replace("cust1", "cust 2"))
        .await
        .field("order_id");

    let check = async |query: &str, expected: &[&String]| {
        let answer = service.get(&format!("/v1/orders?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            ids(&answer.json()).iter().collect::<Vec<_>>(),
            expected,
            "{query}"
        );
    };
    check("status=created", &[&second, &first]).await;
    check("status=completed", &[]).await;
    check("customer_id=cust+2", &[&second]).await;
    check("customer_id=cust%202", &[&second]).await;
    check("customer_id=nobody", &[]).await;
    check("customer_id=cust1&status=created", &[&first]).await;
    check("customer_id=cust1&status=completed", &[]).await;
    check("created_from=2026-05-28T20:27:00Z", &[&second]).await;
    check("created_to=2026-05-28T22:27:00%2B02:00", &[&first]).await;
    check(
        "created_from=2026-05-28T20:26:40Z&created_to=2026-05-28T20:27:40Z",
        &[&first],
    )
    .await;
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_with_all_its_faults() {
    let service = Service::new().await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1&limit=2",
        "status=done",
        "customer_id=",
        "created_from=yesterday",
        "offset=10",
    ] {
        let answer = service.get(&format!("/v1/orders?{query}")).await;
        answer.assert_problem(400, "invalid_query");
        assert!(
            !answer.json()["errors"][0]["parameter"].is_null(),
            "{query}"
        );
    }
    let answer = service.get("/v1/orders?limit=0&page=2&status=x").await;
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let service = Service::new().await;
    for key in ["a", "b"] {
        service.place(key, ORDER).await;
    }
    let page = service
        .get("/v1/orders?limit=1&status=created")
        .await
        .json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let check = async |query: String| {
        service
            .get(&format!("/v1/orders?{query}"))
            .await
            .assert_problem(400, "cursor_invalid");
    };

    let with_it = service
        .get(&format!("/v1/orders?status=created&cursor={cursor}"))
        .await;
    assert_eq!(with_it.status, 200, "another limit is the same list");
    check(format!("cursor={cursor}")).await;
    check(format!("status=failed&cursor={cursor}")).await;
    check(format!("status=created&cursor={}", &cursor[1..])).await;
    check("cursor=".to_owned()).await;
    check("cursor=AAAA".to_owned()).await;
    check("cursor=%00".to_owned()).await;
}

fn item(key: &str, quantity: i64) -> Value {
    json!({
        "idempotency_key": key,
        "order": {"customer_id": "c", "lines": [{"item_id": "pen", "quantity": quantity}]},
    })
}

#[tokio::test]
async fn a_batch_places_each_order_under_its_own_key() {
    let service = Service::new().await;
    let batch = json!({"items": [item("a", 1), item("b", 2)]}).to_string();
    let answer = service
        .send("POST", "/v1/orders/batch", &[], batch.clone())
        .await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let items = answer.json()["items"].clone();
    assert_eq!(items[1]["index"], 1);
    assert_eq!(items[1]["status"], 201);
    assert_eq!(items[1]["order"]["lines"][0]["quantity"], 2);

    let again = service.send("POST", "/v1/orders/batch", &[], batch).await;
    let again = again.json()["items"].clone();
    assert_eq!(
        (&again[0]["order"], &again[1]["order"]),
        (&items[0]["order"], &items[1]["order"])
    );
    assert_eq!(
        (&items[0]["replayed"], &again[0]["replayed"]),
        (&Value::Null, &json!(true))
    );
    let alone = service.place("b", &item("b", 2)["order"].to_string()).await;
    assert_eq!(alone.header("idempotent-replayed"), Some("true"));
    assert_eq!(alone.json(), items[1]["order"]);
    assert_eq!(service.orders().await, 2);
}

#[tokio::test]
async fn a_batch_says_of_each_order_why_it_was_not_placed() {
    let service = Service::new().await;
    service.place("used", ORDER).await;
    let batch = json!({"items": [
        item("a", 1), item("b", 0), item("used", 1), {"order": {}}, 7, item("a", 1), item("é", 1),
    ]});
    let answer = service
        .send("POST", "/v1/orders/batch", &[], batch.to_string())
        .await;

    assert_eq!(answer.status, 207);
    let items = answer.json()["items"].clone();
    let status: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["status"].clone())
        .collect();
    assert_eq!(status, [201, 422, 409, 400, 422, 201, 400]);
    assert_eq!(
        items[1]["problem"]["errors"][0]["pointer"],
        "/items/1/order/lines/0/quantity"
    );
    assert_eq!(items[3]["problem"]["code"], "idempotency_key_missing");
    assert_eq!(
        items[0]["order"], items[5]["order"],
        "one key twice in a batch is one order"
    );
    assert_eq!(service.orders().await, 2);
}

#[tokio::test]
async fn a_batch_holds_1_to_500_orders() {
    let service = Service::new().await;
    let of = |count: usize| {
        let items: Vec<_> = (0..count)
            .map(|number| item(&number.to_string(), 1))
            .collect();
        json!({"items": items}).to_string()
    };
    for body in [
        of(0),
        of(501),
        "{}".to_owned(),
        r#"{"items":{}}"#.to_owned(),
    ] {
        let answer = service.send("POST", "/v1/orders/batch", &[], body).await;
        answer.assert_problem(422, "validation_failed");
    }
    assert_eq!(service.orders().await, 0);
    let answer = service.send("POST", "/v1/orders/batch", &[], of(500)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(service.orders().await, 500);
}

//! Products at `/v1/products`, and what they do to orders.

use crate::service::{Answer, Service};
use domain::product::Lines;
use serde_json::{Value, json};

const PEN: &str = r#"{"product_id":"pen","name":"Fountain pen","price_minor":4500}"#;
const ORDER: &str = r#"{"customer_id":"c","lines":[{"item_id":"pen","quantity":2}]}"#;

async fn make(service: &Service, body: &str) -> Answer {
    service
        .send("POST", "/v1/products", &[], body.to_owned())
        .await
}

async fn put(service: &Service, headers: &[(&str, &str)], body: &str) -> Answer {
    service
        .send("PUT", "/v1/products/pen", headers, body.to_owned())
        .await
}

fn priced(price_minor: i64) -> String {
    json!({"name": "Pen", "price_minor": price_minor}).to_string()
}

#[tokio::test]
async fn a_product_is_made_read_replaced_and_deleted() {
    let service = Service::new().await;
    let made = make(&service, PEN).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/v1/products/pen"))
    );
    assert_eq!(
        made.json(),
        json!({
            "product_id": "pen", "name": "Fountain pen", "price_minor": 4500, "currency": "USD",
            "stock": null, "version": 1, "created_at": "2026-05-28T20:26:40.000Z",
            "updated_at": "2026-05-28T20:26:40.000Z",
        })
    );
    let read = service.get("/v1/products/pen").await;
    assert_eq!(
        (&read.body, read.header("etag")),
        (&made.body, made.header("etag"))
    );
    let known = [("if-none-match", made.header("etag").unwrap())];
    let unchanged = service.send("GET", "/v1/products/pen", &known, "").await;
    assert_eq!((unchanged.status, &*unchanged.body), (304, ""));
    make(&service, PEN)
        .await
        .assert_problem(409, "product_exists");

    service.clock.move_by(1_000);
    let replaced = put(&service, &[], &priced(5_000)).await;
    let product = replaced.json();
    assert_eq!((replaced.status, &product["version"]), (200, &json!(2)));
    assert_eq!(product["created_at"], "2026-05-28T20:26:40.000Z");
    assert_eq!(product["updated_at"], "2026-05-28T20:26:41.000Z");
    assert_eq!(service.get("/v1/products/pen").await.body, replaced.body);

    let deleted = service.send("DELETE", "/v1/products/pen", &[], "").await;
    assert_eq!((deleted.status, &*deleted.body), (204, ""));
    for method in ["GET", "DELETE"] {
        let gone = service.send(method, "/v1/products/pen", &[], "").await;
        gone.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_is_meant() {
    let service = Service::new().await;
    let first = make(&service, PEN).await;
    let first = first.header("etag").unwrap();
    let second = put(&service, &[("if-match", first)], &priced(1)).await;
    assert_eq!(second.status, 200);
    let late = put(&service, &[("if-match", first)], &priced(2)).await;
    late.assert_problem(412, "precondition_failed");
    let late = [("if-match", first)];
    let late = service.send("DELETE", "/v1/products/pen", &late, "").await;
    late.assert_problem(412, "precondition_failed");
    let there = put(&service, &[("if-none-match", "*")], &priced(3)).await;
    there.assert_problem(412, "precondition_failed");
    assert_eq!(
        service.get("/v1/products/pen").await.json()["price_minor"],
        1
    );

    let any = [("if-match", "*")];
    let deleted = service.send("DELETE", "/v1/products/pen", &any, "").await;
    assert_eq!(deleted.status, 204);
    put(&service, &any, &priced(4))
        .await
        .assert_problem(412, "precondition_failed");
    service.clock.move_by(1);
    let anew = put(&service, &[("if-none-match", "*")], &priced(4)).await;
    assert_eq!((anew.status, &anew.json()["version"]), (201, &json!(1)));
    let of_another = put(&service, &[("if-match", first)], &priced(5)).await;
    of_another.assert_problem(412, "precondition_failed");
}

#[tokio::test]
async fn the_operator_may_want_every_change_to_name_its_version() {
    let service = Service::with(|settings| settings.require_if_match = true).await;
    put(&service, &[], &priced(1))
        .await
        .assert_problem(428, "precondition_required");
    let made = put(&service, &[("if-none-match", "*")], &priced(1)).await;
    assert_eq!(made.status, 201);
    let deleted = service.send("DELETE", "/v1/products/pen", &[], "").await;
    deleted.assert_problem(428, "precondition_required");
    let etag = [("if-match", made.header("etag").unwrap())];
    let deleted = service.send("DELETE", "/v1/products/pen", &etag, "").await;
    assert_eq!(deleted.status, 204);
}

#[tokio::test]
async fn one_key_makes_one_product_and_gives_one_answer() {
    let service = Service::new().await;
    let key = [("idempotency-key", "k")];
    let first = service.send("POST", "/v1/products", &key, PEN).await;
    put(&service, &[], &priced(1)).await;
    let again = service.send("POST", "/v1/products", &key, PEN).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = PEN.replace("4500", "4501");
    let answer = service.send("POST", "/v1/products", &key, other).await;
    answer.assert_problem(409, "idempotency_key_reused");
    let order = service.place("k", ORDER).await;
    assert_eq!(
        order.status, 201,
        "the same key on another route is another"
    );
}

#[tokio::test]
async fn every_fault_of_a_product_is_told() {
    let service = Service::new().await;
    for (body, pointers) in [
        ("{}", &["/product_id", "/name", "/price_minor"][..]),
        (
            r#"{"product_id":"","name":5,"price_minor":1.5,"currency":"usd","version":9}"#,
            &[
                "/version",
                "/product_id",
                "/name",
                "/price_minor",
                "/currency",
            ],
        ),
        (
            r#"{"product_id":"a","name":"b","price_minor":-1}"#,
            &["/price_minor"],
        ),
        (
            r#"{"product_id":"a","name":"b","price_minor":9223372036854775808}"#,
            &["/price_minor"],
        ),
        (
            "{\"product_id\":\"a\\u0000\",\"name\":\"b\",\"price_minor\":1}",
            &["/product_id"],
        ),
    ] {
        let answer = make(&service, body).await;
        answer.assert_problem(422, "validation_failed");
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let found: Vec<_> = errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers, "{body}");
    }
    let another = r#"{"product_id":"ink","name":"Ink","price_minor":1}"#;
    put(&service, &[], another)
        .await
        .assert_problem(422, "validation_failed");
    make(&service, "[]")
        .await
        .assert_problem(400, "invalid_body");
    make(&service, "{")
        .await
        .assert_problem(400, "invalid_json");
    assert_eq!(service.get("/v1/products").await.json()["items"], json!([]));
}

#[tokio::test]
async fn products_are_listed_by_their_ids_in_pages() {
    let service = Service::new().await;
    let ids = ["B", "a", "a b", "a/b", "z", "ä"];
    for id in ids.iter().rev() {
        let body = json!({"product_id": id, "name": id, "price_minor": 1}).to_string();
        let made = make(&service, &body).await;
        let location = made.header("location").unwrap();
        assert_eq!(service.get(location).await.json()["product_id"], *id);
    }
    let mut found: Vec<Value> = Vec::new();
    let mut path = "/v1/products?limit=4".to_owned();
    loop {
        let page = service.get(&path).await;
        found.extend(page.json()["items"].as_array().unwrap().clone());
        let Some(next) = page.json()["next_cursor"].as_str().map(ToOwned::to_owned) else {
            break;
        };
        let link = format!("</v1/products?limit=4&cursor={next}>; rel=\"next\"");
        assert_eq!(page.header("link"), Some(&*link));
        path = format!("/v1/products?limit=4&cursor={next}");
    }
    let found: Vec<_> = found
        .iter()
        .map(|it| it["product_id"].as_str().unwrap())
        .collect();
    assert_eq!(found, ids);
    let of_orders = "/v1/products?cursor=AAAA";
    service
        .get(of_orders)
        .await
        .assert_problem(400, "cursor_invalid");
    service
        .get("/v1/products?limit=0")
        .await
        .assert_problem(400, "invalid_query");
}

#[tokio::test]
async fn a_line_is_priced_and_named_from_the_catalogue_however_it_is_placed() {
    let service = Service::new().await;
    make(&service, PEN).await;
    let line = json!({
        "line_number": 1, "item_id": "pen", "name": "Fountain pen", "quantity": 2,
        "unit_price_minor": 4500, "total_minor": 9000,
    });
    let placed = service.place("k", ORDER).await.json();
    assert_eq!(
        (&placed["lines"][0], &placed["total_minor"]),
        (&line, &json!(9000))
    );

    let batch = format!(r#"{{"items":[{{"idempotency_key":"b","order":{ORDER}}}]}}"#);
    let batch = service
        .send("POST", "/v1/orders/batch", &[], batch)
        .await
        .json();
    assert_eq!(batch["items"][0]["order"]["lines"][0], line);

    let receipt = r#"{"customer_id":"c","item_id":"pen","quantity":2}"#;
    let key = [("idempotency-key", "r")];
    let receipt = service
        .send("POST", "/orders", &key, receipt)
        .await
        .field("order_id");
    let receipt = service.get(&format!("/v1/orders/{receipt}")).await.json();
    assert_eq!(receipt["lines"][0], line);

    let by_name = r#"{"customer_id":"c","lines":[{"name":"pen","quantity":2},{"name":"Fountain pen","quantity":1}]}"#;
    let by_name = service.place("n", by_name).await.json();
    assert_eq!(by_name["total_minor"], 0, "names never match");
    assert!(service.findings().await.is_empty());
}

#[tokio::test]
async fn an_order_keeps_its_price_and_the_next_one_has_the_new() {
    let service = Service::new().await;
    make(&service, PEN).await;
    let first = service.place("k1", ORDER).await;
    for price in [1, 2, 3] {
        put(&service, &[], &priced(price)).await;
        let next = service.place(&format!("p{price}"), ORDER).await.json();
        assert_eq!(next["total_minor"], 2 * price);
    }
    service.send("DELETE", "/v1/products/pen", &[], "").await;
    let unpriced = service.place("k2", ORDER).await.json();
    assert_eq!(unpriced["total_minor"], 0);
    let read = service
        .get(&format!("/v1/orders/{}", first.field("order_id")))
        .await;
    assert_eq!(read.body, first.body);
    assert_eq!(service.place("k1", ORDER).await.body, first.body);
}

#[tokio::test]
async fn a_key_is_answered_as_before_though_the_catalogue_would_refuse_now() {
    let service = Service::with(|settings| settings.order_lines = Lines::Products).await;
    make(&service, PEN).await;
    let expecting = ORDER.replacen('{', r#"{"expected_total_minor":9000,"#, 1);
    let first = service.place("k", &expecting).await;
    assert_eq!(first.status, 201);
    put(&service, &[], &priced(1)).await;
    let replay = service.place("k", &expecting).await;
    assert_eq!((replay.status, &replay.body), (201, &first.body));
    service.send("DELETE", "/v1/products/pen", &[], "").await;
    let replay = service.place("k", &expecting).await;
    assert_eq!((replay.status, &replay.body), (201, &first.body));
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let other = service.place("k", ORDER).await;
    other.assert_problem(409, "idempotency_key_reused");
    service
        .place("k2", ORDER)
        .await
        .assert_problem(422, "item_unknown");
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn what_the_catalogue_does_not_allow_is_refused() {
    let service = Service::new().await;
    make(&service, PEN).await;
    make(
        &service,
        r#"{"product_id":"stylo","name":"Stylo","price_minor":1,"currency":"EUR"}"#,
    )
    .await;
    make(
        &service,
        r#"{"product_id":"yacht","name":"Yacht","price_minor":9223372036854775807}"#,
    )
    .await;
    let place = async |body: Value| service.place("k", &body.to_string()).await;
    let line = |id: &str, quantity: u32| json!({"item_id": id, "quantity": quantity});

    let lines = [line("pen", 1), line("stylo", 1)];
    let mixed = place(json!({"customer_id": "c", "lines": lines})).await;
    mixed.assert_problem(422, "currency_mixed");
    let lines = [line("stylo", 1)];
    let mixed = place(json!({"customer_id": "c", "currency": "USD", "lines": lines})).await;
    mixed.assert_problem(422, "currency_mixed");
    for lines in [
        vec![line("yacht", 2)],
        vec![line("yacht", 1), line("pen", 1)],
    ] {
        let much = place(json!({"customer_id": "c", "lines": lines})).await;
        much.assert_problem(422, "amount_overflow");
    }
    let lines = [line("pen", 2)];
    let body = json!({"customer_id": "c", "lines": lines, "expected_total_minor": 8_999});
    let changed = place(body).await;
    changed.assert_problem(409, "price_changed");
    for total in ["9000", "8999"] {
        assert!(changed.field("detail").contains(total), "{}", changed.body);
    }
    assert_eq!(service.orders().await, 0);

    let body = json!({"customer_id": "c", "lines": [line("stylo", 1)]});
    assert_eq!(place(body).await.field("currency"), "EUR");

    let strict = Service::with(|settings| settings.order_lines = Lines::Products).await;
    strict
        .place("k", ORDER)
        .await
        .assert_problem(422, "item_unknown");
    let basket = r#"{"customer_name":"A","items":[{"name":"Pen","quantity":2}]}"#;
    let basket = strict.send("POST", "/orders", &[], basket).await;
    basket.assert_problem(422, "item_unknown");
}

#[tokio::test]
async fn a_product_says_how_many_there_are_and_its_version_is_another_matter() {
    let service = Service::new().await;
    let with = |stock: i64| {
        json!({ "product_id": "pen", "name": "Pen", "price_minor": 5, "stock": stock }).to_string()
    };
    let made = make(&service, &with(3)).await;
    let figures = |on_hand: u64| json!({ "on_hand": on_hand, "reserved": 0, "available": on_hand });
    assert_eq!((made.status, &made.json()["stock"]), (201, &figures(3)));
    let read = service.get("/v1/products/pen").await;
    assert_eq!(read.header("etag"), made.header("etag"));

    // Its stock moves: it is shown anew, and who wants to change it need not know.
    let come = json!({ "change": 4, "reason": "delivery" }).to_string();
    service.send("POST", "/v1/stock/pen", &[], come).await;
    let etag = read.header("etag").unwrap().to_owned();
    let known = [("if-none-match", &*etag)];
    let moved = service.send("GET", "/v1/products/pen", &known, "").await;
    assert_eq!((moved.status, &moved.json()["stock"]), (200, &figures(7)));
    assert_eq!(moved.json()["version"], 1);
    let renamed = put(&service, &[("if-match", &*etag)], &priced(6)).await;
    assert_eq!(
        (renamed.status, &renamed.json()["stock"]),
        (200, &figures(7))
    );
    let stale = put(&service, &[("if-match", &*etag)], &priced(7)).await;
    stale.assert_problem(412, "precondition_failed");

    let counted = put(&service, &[], &with(2)).await;
    assert_eq!(counted.json()["stock"], figures(2));
    let list = service.get("/v1/products").await.json();
    assert_eq!(list["items"][0]["stock"], figures(2));
    for wrong in [-1, 2_000_000_000_000] {
        let refused = put(&service, &[], &with(wrong)).await;
        refused.assert_problem(422, "validation_failed");
    }
    assert_eq!(service.findings().await, []);
}

//! The operator's routes: reset and seed, and who may use them.

use crate::service::{ORDER, PASSWORD, Service};

#[tokio::test]
async fn the_admin_route_needs_its_password() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let reset = async |headers: &[(&str, &str)], body: String| {
        service.send("POST", "/admin/reset", headers, body).await
    };
    let right = format!(r#"{{"password":"{PASSWORD}"}}"#);

    reset(&[], String::new())
        .await
        .assert_problem(401, "admin_unauthorized");
    reset(&[("x-admin-password", "wrong")], String::new())
        .await
        .assert_problem(401, "admin_unauthorized");
    reset(&[], r#"{"password":5}"#.into())
        .await
        .assert_problem(401, "admin_unauthorized");
    reset(&[("x-admin-password", "")], right.clone())
        .await
        .assert_problem(401, "admin_unauthorized");
    assert_eq!(service.orders().await, 1);

    let answer = reset(&[("x-admin-password", PASSWORD)], String::new()).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (200, r#"{"message":"All orders have been removed."}"#)
    );
    assert_eq!(service.orders().await, 0);
    assert_eq!(
        service
            .place("k", ORDER)
            .await
            .header("idempotent-replayed"),
        None
    );
    assert_eq!(reset(&[], right).await.status, 200);
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn without_a_password_there_is_no_admin_route() {
    let service = Service::with(|settings| settings.admin_password = None).await;
    let answer = service
        .send("POST", "/admin/reset", &[("x-admin-password", "")], "")
        .await;
    answer.assert_problem(404, "admin_disabled");
}

#[tokio::test]
async fn seeding_makes_baskets_and_the_same_number_makes_the_same() {
    let orders = async |service: &Service| {
        let body = format!(r#"{{"count":120,"random_seed":7,"password":"{PASSWORD}"}}"#);
        let seeded = service.send("POST", "/admin/seed", &[], body).await;
        assert_eq!(
            (seeded.status, &*seeded.body),
            (201, r#"{"message":"Seeded 120 fake orders."}"#)
        );
        let list = service.get("/orders").await.json();
        assert_eq!(list["total_orders"], 120);
        let mut orders = list["orders"].as_array().unwrap().clone();
        for order in &mut orders {
            order["order_id"].take();
        }
        // They are placed side by side, so their order is nobody's.
        orders.sort_by_key(ToString::to_string);
        orders
    };
    let first = orders(&Service::new().await).await;
    assert_eq!(first, orders(&Service::new().await).await);

    let words = [
        "received",
        "processing",
        "shipped",
        "delivered",
        "cancelled",
    ];
    for word in words {
        assert!(first.iter().any(|order| order["status"] == word), "{word}");
    }
    for order in &first {
        let items = order["items"].as_array().unwrap();
        assert!((1..=5).contains(&items.len()), "{order}");
        assert!(
            words.contains(&order["status"].as_str().unwrap()),
            "{order}"
        );
    }
}

#[tokio::test]
async fn a_count_that_is_none_is_refused_in_the_words_that_its_users_know() {
    let service = Service::new().await;
    let missing = "Request body must include an integer 'count' value.";
    let zero = "'count' must be greater than zero.";
    for (body, words) in [
        ("{}", missing),
        ("", missing),
        (r#"{"count":"x"}"#, missing),
        (r#"{"count":2.5}"#, missing),
        (r#"{"count":true}"#, missing),
        (r#"{"count":1e400}"#, missing),
        (r#"{"count":0}"#, zero),
        (r#"{"count":-1}"#, zero),
        ("0", zero),
        (
            r#"{"count":100001}"#,
            "'count' must be at most 100000; ask more than once.",
        ),
    ] {
        let headers = [("x-admin-password", PASSWORD)];
        let answer = service.send("POST", "/admin/seed", &headers, body).await;
        answer.assert_problem(400, "validation_failed");
        assert_eq!(answer.field("error"), words, "{body}");
    }
    assert_eq!(service.orders().await, 0);
    let headers = [("x-admin-password", PASSWORD)];
    let bare = service.send("POST", "/admin/seed", &headers, "3").await;
    assert_eq!(bare.status, 201);
    assert_eq!(service.orders().await, 3);
}

#[tokio::test]
async fn what_is_no_object_resets_nothing_and_a_seed_that_is_no_number_makes_nothing() {
    let service = Service::new().await;
    service.place("k", ORDER).await;
    let headers = [("x-admin-password", PASSWORD)];
    for body in ["[null]", "7", "null"] {
        let answer = service.send("POST", "/admin/reset", &headers, body).await;
        answer.assert_problem(400, "invalid_body");
    }
    let body = r#"{"count": 1, "random_seed": {}}"#;
    let answer = service.send("POST", "/admin/seed", &headers, body).await;
    answer.assert_problem(400, "validation_failed");
    assert_eq!(service.orders().await, 1);
}

#[tokio::test]
async fn wrong_passwords_are_limited_and_right_ones_are_not() {
    let service = Service::new().await;
    let send = async |password: &str| {
        let headers = [("x-admin-password", password)];
        service.send("POST", "/admin/reset", &headers, "").await
    };
    for _ in 0..20 {
        assert_eq!(send(PASSWORD).await.status, 200);
    }
    for _ in 0..5 {
        send("wrong")
            .await
            .assert_problem(401, "admin_unauthorized");
    }
    for password in ["wrong", PASSWORD] {
        let answer = send(password).await;
        answer.assert_problem(429, "rate_limited");
        assert_eq!(answer.header("retry-after"), Some("12"));
    }
    let others = service.get("/orders").await;
    assert_eq!(others.status, 200, "who sends no password goes on");

    service.clock.move_by(12_000);
    assert_eq!(send(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_reset_waits_for_orders_that_are_being_paid_for() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    service.move_to(&id, domain::Status::Processing).await;
    let reset = async |body: &str| {
        let headers = [("x-admin-password", PASSWORD)];
        service
            .send("POST", "/admin/reset", &headers, body.to_owned())
            .await
    };
    reset("").await.assert_problem(409, "orders_in_flight");
    reset(r#"{"force":"yes"}"#)
        .await
        .assert_problem(422, "validation_failed");
    assert_eq!(service.orders().await, 1);
    assert_eq!(reset(r#"{"force":true}"#).await.status, 200);
    assert_eq!(service.orders().await, 0);
}

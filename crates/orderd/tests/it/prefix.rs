//! What is another for those who come through a proxy that has the service below a path of its own.

use crate::service::{Answer, ORDER, RECEIPT, Service};
use api::{Anonymous, Owner, Peer};
use axum::body::Body;
use axum::http::Request;
use domain::Prefix;
use serde_json::{Value, json};

async fn below(prefix: &str) -> Service {
    let base_path = Prefix::parse(prefix).unwrap();
    Service::with(|settings| settings.base_path = base_path).await
}

#[tokio::test]
async fn whatever_an_answer_leads_to_begins_with_the_prefix() {
    let service = below("/shop").await;
    let first = service.place("k", ORDER).await;
    let id = first.field("order_id");
    let location = format!("/shop/v1/orders/{id}");
    assert_eq!(first.header("location"), Some(&*location));
    let receipt = service
        .send("POST", "/orders", &[("idempotency-key", "r")], RECEIPT)
        .await;
    let location = format!("/shop/orders/{}", receipt.field("order_id"));
    assert_eq!(receipt.header("location"), Some(&*location));
    for path in ["/v1/orders", "/v1/orders?limit=1"] {
        let list = service.get(path).await;
        let link = list.header("link").unwrap_or("</shop/v1/orders?limit=20");
        assert!(link.starts_with("</shop/v1/orders?limit="), "{link}");
    }
    let missing = service.get("/v1/orders/x").await;
    assert_eq!(missing.field("type"), "/shop/problems/not-found");
    let batch = json!({ "items": [{ "idempotency_key": "b", "order": {} }] });
    let batch = service
        .send("POST", "/v1/orders/batch", &[], batch.to_string())
        .await;
    let problem = &batch.json()["items"][0]["problem"];
    assert_eq!(problem["type"], "/shop/problems/validation-failed");

    for path in ["/openapi.json", "/openapi.yaml"] {
        let mut document = service.get(path).await.json();
        let server = &mut document["servers"][0]["url"];
        assert_eq!(server, "/shop", "{path}");
        *server = "/".into();
        let same: Value = serde_json::from_str(api::openapi()).unwrap();
        assert!(document == same, "the rest of it is the same");
    }
    assert_eq!(service.get("/").await.field("orders"), "/shop/v1/orders");
    let problems = service.get("/problems").await.body;
    assert!(
        problems.contains(": /shop/problems/not-found\n"),
        "{problems}"
    );
}

#[tokio::test]
async fn a_prefix_changes_no_body_and_no_replay() {
    let (plain, below) = (Service::new().await, below("/shop").await);
    for service in [&plain, &below] {
        service.place("k", ORDER).await;
    }
    let answers = [
        (plain.place("k", ORDER).await, below.place("k", ORDER).await),
        (plain.get("/v1/orders").await, below.get("/v1/orders").await),
    ];
    for (one, other) in answers {
        assert_eq!(one.body, other.body);
    }
}

async fn through(service: &Service, peer: &str, said: &str) -> Answer {
    let request = Request::post("/v1/orders")
        .header("host", "orderd")
        .header("content-type", "application/json")
        .header("idempotency-key", "k")
        .header("x-forwarded-prefix", said)
        .extension(Peer(peer.parse().unwrap()))
        .body(Body::from(ORDER));
    service.send_as_is(request.unwrap()).await
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_the_prefix_of_each_request() {
    let service = Service::with(|settings| {
        settings.trusted_proxies.networks = vec!["10.0.0.0/8".parse().unwrap()];
        settings.base_path = Prefix::parse("/configured").unwrap();
    })
    .await;
    let mut bodies = Vec::new();
    for (peer, said, prefix) in [
        ("10.0.0.1", "/shop", "/shop"),
        ("10.0.0.1", "/other/one/", "/other/one"),
        ("10.0.0.1", "/", ""),
        // What is none leaves it at what is configured, as does anybody else's word.
        ("10.0.0.1", "//evil.example", "/configured"),
        ("203.0.113.1", "/shop", "/configured"),
    ] {
        let answer = through(&service, peer, said).await;
        let location = format!("{prefix}/v1/orders/{}", answer.field("order_id"));
        assert_eq!(answer.header("location"), Some(&*location), "{peer} {said}");
        bodies.push(answer.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "one order");
}

#[tokio::test]
async fn the_line_for_a_terminal_is_ready_to_be_pasted() {
    let page = async |service: &Service, headers: &[(&str, &str)]| {
        let placing = Request::post("/v1/orders")
            .header("host", "orderd")
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .extension(Owner)
            .body(Body::from(ORDER));
        let id = service.send_as_is(placing.unwrap()).await.field("order_id");
        let mut looking = Request::get(format!("/ui/orders/{id}"))
            .header("host", "orders.example.org")
            .extension(Owner);
        for (name, value) in headers {
            looking = looking.header(*name, *value);
        }
        let page = service
            .send_as_is(looking.body(Body::empty()).unwrap())
            .await;
        let (_, line) = page.body.split_once("<code>curl ").unwrap();
        let line = line.split("</code>").next().unwrap();
        line.replace(&id, "ID").replace("&quot;", "\"")
    };
    let line = page(&below("/shop").await, &[("x-forwarded-proto", "https")]).await;
    assert_eq!(
        line,
        "https://orders.example.org/shop/v1/orders/ID/timeline"
    );
    let closed = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    let line = page(&closed, &[]).await;
    assert_eq!(
        line,
        "http://orders.example.org/v1/orders/ID/timeline -H \"Authorization: Bearer $ORDERD_TOKEN\""
    );
}

//! Who may do what, and how often.

use crate::service::{Answer, ORDER, PASSWORD, RECEIPT, Service};
use api::{Anonymous, Hosts, Owner, Peer, Rate};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

/// Tokens of each scope, made by the owner of the store.
struct Tokens {
    read: String,
    write: String,
    admin: String,
}

impl Tokens {
    async fn make(service: &Service) -> Self {
        let token = async |scope: &str| make(service, scope).await.field("token");
        Self {
            read: token("read").await,
            write: token("write").await,
            admin: token("admin").await,
        }
    }
}

/// A token of this scope.
pub(crate) async fn make(service: &Service, scope: &str) -> Answer {
    let body = json!({"scope": scope, "name": "a name"}).to_string();
    let request = Request::post("/v1/tokens")
        .header("host", "orderd")
        .header("content-type", "application/json")
        .extension(Owner)
        .body(Body::from(body));
    let answer = service.send_as_is(request.unwrap()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer
}

/// Sends a request with the key `k` and this token.
pub(crate) async fn with(
    service: &Service,
    token: &str,
    method: &str,
    path: &str,
    body: &str,
) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("idempotency-key", "k")];
    service.send(method, path, &headers, body.to_owned()).await
}

/// Every method of every path of the document, but those that need nothing.
fn routes() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(api::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let health = ["/livez", "/readyz"].contains(&path.as_str());
        for method in operations.as_object().unwrap().keys().filter(|_| !health) {
            let path = path
                .replace("{order_id}", "019e72e2-8400-7001-8000-000000000001")
                .replace("{token_id}", "019e72e2-8400-7001-8000-000000000001")
                .replace("{product_id}", "pen")
                .replace("{key}", "k")
                .replace("{code}", "not-found");
            routes.push((method.to_uppercase(), path));
        }
    }
    assert!(routes.len() > 25, "{routes:?}");
    routes
}

#[tokio::test]
async fn a_token_may_do_what_its_scope_says_on_every_route() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    let tokens = Tokens::make(&service).await;
    for path in ["/livez", "/readyz", "/health", "/healthz"] {
        assert_eq!(service.get(path).await.status, 200);
    }
    // A stream that is never asked to end would be read for ever.
    service.app.stopping.cancel();
    for (method, path) in routes() {
        let scopes = [
            ("read", &tokens.read),
            ("write", &tokens.write),
            ("admin", &tokens.admin),
        ];
        let needed = match (&*method, &*path) {
            (_, "/admin/reset" | "/admin/seed") => 2,
            (_, path) if path.starts_with("/v1/tokens") => 2,
            (_, path) if path.starts_with("/v1/webhooks") => 1,
            ("GET", _) => 0,
            _ => 1,
        };
        for (level, (scope, token)) in scopes.into_iter().enumerate() {
            let answer = with(&service, token, &method, &path, "").await;
            if level < needed {
                answer.assert_problem(403, "forbidden");
            } else {
                let refused = matches!(answer.status, 401 | 403);
                assert!(!refused, "{scope} {method} {path}: {}", answer.body);
            }
        }
        let none = service.send(&method, &path, &[], "").await;
        let code = if path.starts_with("/admin/") {
            "admin_unauthorized"
        } else {
            "unauthorized"
        };
        none.assert_problem(401, code);
    }
}

#[tokio::test]
async fn who_asks_for_health_need_not_say_who_he_is_not_even_rightly() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    for _ in 0..10 {
        for path in ["/livez", "/readyz", "/health", "/healthz"] {
            let answer = with(&service, "wrong", "GET", path, "").await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        }
    }
    let answer = with(&service, "wrong", "GET", "/metrics", "").await;
    answer.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn without_a_token_everybody_may_do_what_the_operator_chose() {
    for (anonymous, read, write) in [
        (Anonymous::None, 401, 401),
        (Anonymous::Read, 200, 401),
        (Anonymous::Write, 200, 201),
    ] {
        let service = Service::with(|settings| settings.anonymous = anonymous).await;
        assert_eq!(service.get("/v1/orders").await.status, read);
        assert_eq!(service.place("k", ORDER).await.status, write);
        let tokens = service.get("/v1/tokens").await;
        tokens.assert_problem(401, "unauthorized");
        assert_eq!(tokens.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn a_token_that_is_not_known_is_refused_also_where_none_is_needed() {
    let service = Service::new().await;
    let token = make(&service, "write").await;
    let secret = token.field("token");
    for wrong in [
        "Bearer orderd_x".to_owned(),
        format!("Bearer {}", &secret[..secret.len() - 1]),
        format!("Basic {secret}"),
        secret.clone(),
        "Bearer".to_owned(),
    ] {
        let service = Service::new().await;
        let answer = service
            .send("GET", "/v1/orders", &[("authorization", &wrong)], "")
            .await;
        answer.assert_problem(401, "unauthorized");
    }
    let in_url = format!("/v1/orders?token={secret}");
    service
        .get(&in_url)
        .await
        .assert_problem(400, "invalid_query");
    let right = format!("bearer {secret}");
    let answer = service
        .send("GET", "/v1/orders", &[("authorization", &right)], "")
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn one_key_of_two_principals_is_two_orders() {
    let service = Service::new().await;
    let tokens = Tokens::make(&service).await;
    let one = with(&service, &tokens.write, "POST", "/v1/orders", ORDER).await;
    let two = with(&service, &tokens.admin, "POST", "/v1/orders", ORDER).await;
    let nobody = service.place("k", ORDER).await;
    assert_eq!((one.status, two.status, nobody.status), (201, 201, 201));
    assert_eq!(service.orders().await, 3);
    let again = with(&service, &tokens.write, "POST", "/v1/orders", ORDER).await;
    assert_eq!(again.body, one.body);
    let key = with(&service, &tokens.read, "GET", "/v1/idempotency-keys/k", "").await;
    key.assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_secret_is_shown_once_and_worth_nothing_once_revoked() {
    let service = Service::new().await;
    let made = make(&service, "write").await;
    let (secret, id) = (made.field("token"), made.field("token_id"));
    assert!(
        secret.starts_with("orderd_") && secret.len() == 50,
        "{secret}"
    );
    let tokens = Tokens::make(&service).await;
    let list = with(&service, &tokens.admin, "GET", "/v1/tokens", "").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 4);
    assert_eq!(list.json()["items"][0]["name"], "a name");
    assert!(!list.body.contains(&secret) && !list.body.contains("\"token\""));

    assert_eq!(
        with(&service, &secret, "GET", "/v1/orders", "")
            .await
            .status,
        200
    );
    let path = format!("/v1/tokens/{id}");
    let revoked = with(&service, &tokens.admin, "DELETE", &path, "").await;
    assert_eq!(revoked.status, 204);
    let answer = with(&service, &secret, "GET", "/v1/orders", "").await;
    answer.assert_problem(401, "unauthorized");
    let again = with(&service, &tokens.admin, "DELETE", &path, "").await;
    again.assert_problem(404, "not_found");
}

#[tokio::test]
async fn wrong_tokens_are_limited() {
    let service = Service::new().await;
    let right = make(&service, "read").await.field("token");
    for _ in 0..5 {
        with(&service, "wrong", "GET", "/v1/orders", "")
            .await
            .assert_problem(401, "unauthorized");
    }
    for token in ["wrong", &right] {
        let answer = with(&service, token, "GET", "/v1/orders", "").await;
        answer.assert_problem(429, "rate_limited");
        assert_eq!(answer.header("retry-after"), Some("12"));
    }
    let headers = [("x-admin-password", PASSWORD)];
    let admin = service.send("POST", "/admin/reset", &headers, "").await;
    admin.assert_problem(429, "rate_limited");
    assert_eq!(service.get("/v1/orders").await.status, 200);

    service.clock.move_by(12_000);
    assert_eq!(
        with(&service, &right, "GET", "/v1/orders", "").await.status,
        200
    );
    service.clock.move_by(60_000);
    for _ in 0..5 {
        with(&service, "wrong", "GET", "/v1/orders", "")
            .await
            .assert_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn each_principal_has_a_rate_of_its_own() {
    let service = Service::with(|settings| {
        settings.rate = Some(Rate {
            per_second: 10,
            burst: 20,
        });
    })
    .await;
    let tokens = Tokens::make(&service).await;
    for left in (0..20).rev() {
        let answer = service.get("/v1/orders").await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"default\";q=20;w=2")
        );
        let state = answer.header("ratelimit").unwrap();
        assert!(
            state.starts_with(&format!("\"default\";r={left};t=")),
            "{state}"
        );
    }
    let answer = service.get("/v1/orders").await;
    answer.assert_problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("ratelimit"), Some("\"default\";r=0;t=2"));
    let key = [("idempotency-key", "k")];
    let placing = service.send("POST", "/orders", &key, RECEIPT).await;
    placing.assert_problem(429, "rate_limited");
    assert_eq!(service.orders().await, 0);

    let other = with(&service, &tokens.write, "POST", "/v1/orders", ORDER).await;
    assert_eq!(other.status, 201, "another principal goes on");
    for _ in 0..30 {
        assert_eq!(
            service.get("/readyz").await.status,
            200,
            "health is not counted"
        );
    }
    service.clock.move_by(100);
    assert_eq!(service.get("/v1/orders").await.status, 200);
    assert_eq!(service.get("/v1/orders").await.status, 429);
    service.clock.move_by(2_000);
    for _ in 0..20 {
        assert_eq!(service.get("/v1/orders").await.status, 200);
    }
}

#[tokio::test]
async fn a_token_is_made_with_a_scope_that_there_is() {
    let service = Service::new().await;
    let admin = make(&service, "admin").await.field("token");
    for body in [
        "{}",
        r#"{"scope":"all"}"#,
        r#"{"scope":5}"#,
        r#"{"scope":"read","x":1}"#,
    ] {
        let answer = with(&service, &admin, "POST", "/v1/tokens", body).await;
        answer.assert_problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn whoever_comes_through_a_trusted_proxy_is_counted_by_themselves() {
    let service = Service::with(|settings| {
        settings.trusted_proxies.networks = vec!["10.0.0.0/8".parse().unwrap()];
        settings.rate = Some(Rate {
            per_second: 1,
            burst: 1,
        });
    })
    .await;
    let from = async |peer: &str, forwarded: &str| {
        let request = Request::get("/v1/orders")
            .header("host", "orderd")
            .header("x-forwarded-for", forwarded)
            .extension(Peer(peer.parse().unwrap()));
        let request = request.body(Body::empty()).unwrap();
        service.send_as_is(request).await.status
    };
    assert_eq!(from("10.0.0.1", "198.51.100.1").await, 200);
    assert_eq!(from("10.0.0.1", "198.51.100.2").await, 200);
    assert_eq!(from("10.0.0.2", "198.51.100.1").await, 429, "the same one");
    // Anybody else may write there what they like.
    assert_eq!(from("203.0.113.1", "198.51.100.3").await, 200);
    assert_eq!(from("203.0.113.1", "198.51.100.4").await, 429);
}

#[tokio::test]
async fn a_page_that_has_its_own_name_lead_here_may_do_nothing() {
    let service = Service::with(|settings| {
        settings.hosts = Hosts::Named(vec!["orders.example.org".to_owned()]);
    })
    .await;
    let token = make(&service, "write").await.field("token");
    let bearer = format!("Bearer {token}");
    let ask = async |host: &str, method: &str, path: &str, token: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [
            ("host", Some(host)),
            ("content-type", Some("application/json")),
            ("idempotency-key", Some("k")),
            ("authorization", token),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let body = if method == "POST" { ORDER } else { "" };
        service
            .send_as_is(request.body(Body::from(body)).unwrap())
            .await
    };
    for (method, path) in [
        ("POST", "/v1/orders"),
        ("POST", "/orders"),
        ("GET", "/v1/orders"),
        ("GET", "/v1/events"),
        ("GET", "/metrics"),
        ("GET", "/ui/"),
    ] {
        let answer = ask("evil.example:8080", method, path, None).await;
        answer.assert_problem(421, "misdirected");
        let detail = answer.field("detail");
        assert!(
            detail.contains("server.hosts") && detail.contains("evil.example"),
            "{detail}"
        );
    }
    assert_eq!(service.orders().await, 0);
    for host in [
        "localhost:8080",
        "127.0.0.1",
        "[::1]:8080",
        "orders.example.org",
    ] {
        assert_eq!(
            ask(host, "GET", "/v1/orders", None).await.status,
            200,
            "{host}"
        );
        assert_eq!(ask(host, "GET", "/ui/", None).await.status, 200, "{host}");
    }
    // Who has a token means it, and who asks for health goes by the address.
    let with_token = ask("evil.example", "POST", "/v1/orders", Some(&bearer)).await;
    assert_eq!(with_token.status, 201);
    assert_eq!(
        ask("10.0.0.7:8080", "GET", "/readyz", None).await.status,
        200
    );
}

#[tokio::test]
async fn a_page_of_another_site_sends_nothing_that_no_browser_asks_about() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    let path = format!("/v1/orders/{id}/cancel");
    let json = ("content-type", "application/json");
    let text = ("content-type", "text/plain");
    for sort in [text, ("content-type", "application/x-www-form-urlencoded")] {
        let headers = [("sec-fetch-site", "cross-site"), sort];
        let refused = service.send("POST", &path, &headers, "").await;
        refused.assert_problem(403, "forbidden");
    }
    assert_eq!(
        service
            .get(&format!("/v1/orders/{id}"))
            .await
            .field("status"),
        "created"
    );
    // What a browser would have asked about, and what comes from a page of this site, or from none.
    for (number, headers) in [
        [("sec-fetch-site", "cross-site"), json],
        [("sec-fetch-site", "same-origin"), text],
        [("sec-fetch-site", "none"), text],
        [("user-agent", "curl"), text],
    ]
    .iter()
    .enumerate()
    {
        let id = service
            .place(&number.to_string(), ORDER)
            .await
            .field("order_id");
        let path = format!("/v1/orders/{id}/cancel");
        let cancelled = service.send("POST", &path, headers, "").await;
        assert!(cancelled.status < 300, "{headers:?}: {}", cancelled.body);
    }
}

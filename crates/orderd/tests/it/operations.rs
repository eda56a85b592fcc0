//! What is around the orders: health, metrics, documents, request ids, access, the admin route.

use crate::service::{ORDER, Service};
use api::Anonymous;
use axum::body::Body;
use axum::http::Request;

#[tokio::test]
async fn the_front_page_says_where_things_are() {
    let service = Service::new().await;
    let answer = service.get("/").await;
    assert_eq!(answer.status, 200);
    let message = answer.field("message");
    assert!(message.contains("/orders") && message.contains("/orders/{order_id}"));
}

#[tokio::test]
async fn a_service_that_stops_is_alive_but_not_ready() {
    let service = Service::new().await;
    for path in ["/livez", "/readyz", "/health", "/healthz"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    let verbose = service.get("/readyz?verbose").await;
    assert_eq!(verbose.body, "[+]accepting ok\n[+]store ok\nready\n");
    assert_eq!(service.get("/-/healthy").await.body, "ok\n");

    service.app.stopping.cancel();
    assert_eq!(service.get("/-/healthy").await.status, 200);
    let excluded = service.get("/readyz?verbose&exclude=accepting").await;
    assert_eq!(
        (excluded.status, &*excluded.body),
        (200, "[+]accepting excluded\n[+]store ok\nready\n")
    );
    let other = service.get("/readyz?exclude=store").await;
    assert_eq!((other.status, &*other.body), (503, "not ready\n"));
    assert_eq!(service.get("/livez").await.status, 200);
    let verbose = service.get("/readyz?verbose").await;
    assert_eq!(verbose.status, 503);
    assert_eq!(
        verbose.body,
        "[-]accepting failed\n[+]store ok\nnot ready\n"
    );
}

#[tokio::test]
async fn every_answer_has_the_request_id_twice() {
    let service = Service::new().await;
    for name in ["x-request-id", "request-id"] {
        let answer = service
            .send("GET", "/nowhere", &[(name, "abc-1._")], "")
            .await;
        assert_eq!(answer.header("x-request-id"), Some("abc-1._"));
        assert_eq!(answer.header("request-id"), Some("abc-1._"));
    }
    let long = "x".repeat(129);
    for id in ["a b", "a\", \"evil\": \"x", "", &long] {
        let answer = service
            .send("GET", "/livez", &[("x-request-id", id)], "")
            .await;
        let fresh = answer.header("x-request-id").unwrap();
        assert_eq!(uuid::Uuid::parse_str(fresh).unwrap().get_version_num(), 7);
        assert_eq!(answer.header("request-id"), Some(fresh));
    }
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_problems() {
    let service = Service::new().await;
    service
        .get("/wp-login.php")
        .await
        .assert_problem(404, "not_found");
    service
        .get("/v1/orders/a/b")
        .await
        .assert_problem(404, "not_found");
    for (method, path, allow) in [
        ("PUT", "/orders", "POST,GET,HEAD"),
        ("PUT", "/orders/", "POST,GET,HEAD"),
        ("PATCH", "/products", "POST,GET,HEAD"),
        ("DELETE", "/v1/orders", "POST,GET,HEAD"),
        ("POST", "/livez", "GET,HEAD"),
        ("BREW", "/", "GET,HEAD"),
    ] {
        let answer = service.send(method, path, &[], "").await;
        answer.assert_problem(405, "method_not_allowed");
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(',').collect();
        let mut expected: Vec<_> = allow.split(',').collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{path}");
    }
}

#[tokio::test]
async fn every_problem_is_explained() {
    let service = Service::new().await;
    let list = service.get("/problems").await;
    let mut paths = 0;
    for line in list.body.lines().filter(|line| line.starts_with("- ")) {
        let path = line.rsplit(' ').next().unwrap();
        let page = service.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.body.starts_with("# "), "{}", page.body);
        paths += 1;
    }
    assert!(paths > 20);
    assert_eq!(service.get("/problems/not_found").await.status, 200);
    service
        .get("/problems/nonsense")
        .await
        .assert_problem(404, "not_found");
}

#[tokio::test]
async fn metrics_name_routes_by_their_templates() {
    let service = Service::new().await;
    let id = service.place("k", ORDER).await.field("order_id");
    service.place("k", ORDER).await;
    service.place("k", &ORDER.replace('2', "3")).await;
    service.get(&format!("/orders/{id}/")).await;
    service.get("/secret-path").await;

    let text = service.get("/metrics").await.body;
    for line in [
        "orderd_orders_created_total 1",
        "orderd_idempotency_requests_total{result=\"new\"} 1",
        "orderd_idempotency_requests_total{result=\"replayed\"} 1",
        "orderd_idempotency_requests_total{result=\"mismatch\"} 1",
        "orderd_build_info{version=\"0.0.0-test\",commit=\"abc123\"} 1",
        "http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/v1/orders\",http_response_status_code=\"201\"} 2",
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/orders/{order_id}\",http_response_status_code=\"200\"} 1",
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"other\",http_response_status_code=\"404\"} 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in\n{text}"
        );
    }
    assert!(text.contains("le=\"0.0005\"") && !text.contains("secret-path") && !text.contains(&id));
}

#[tokio::test]
async fn the_document_describes_the_service() {
    let service = Service::new().await;
    let document = service.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let place = &document["paths"]["/v1/orders"]["post"];
    for status in [
        "201", "400", "401", "408", "409", "413", "415", "422", "431", "500", "503",
    ] {
        assert!(place["responses"][status].is_object(), "{status}");
    }
    assert!(document["components"]["schemas"]["Problem"].is_object());
}

#[tokio::test]
async fn a_request_without_a_token_may_do_what_the_operator_says() {
    let service = Service::with(|settings| settings.anonymous = Anonymous::None).await;
    for path in ["/", "/v1/orders", "/metrics"] {
        let answer = service.get(path).await;
        answer.assert_problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(service.get("/readyz").await.status, 200);

    let service = Service::with(|settings| settings.anonymous = Anonymous::Read).await;
    assert_eq!(service.get("/v1/orders").await.status, 200);
    service
        .place("k", ORDER)
        .await
        .assert_problem(401, "unauthorized");
    assert_eq!(service.orders().await, 0);
}

#[tokio::test]
async fn an_http_1_0_client_needs_no_host() {
    let service = Service::new().await;
    let request = Request::get("/livez").version(axum::http::Version::HTTP_10);
    let answer = service
        .send_as_is(request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.status, 200);
}

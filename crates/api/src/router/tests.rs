use super::{DOCUMENT, all_routes, template};
use std::collections::BTreeSet;

#[test]
fn the_document_is_openapi_3_1_and_has_every_route() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    let paths: Vec<&String> = DOCUMENT["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/",
            "/admin/reset",
            "/admin/seed",
            "/asyncapi.json",
            "/docs",
            "/docs/{asset}",
            "/livez",
            "/metrics",
            "/openapi.json",
            "/openapi.yaml",
            "/orders",
            "/orders/{order_id}",
            "/orders/{order_id}/status",
            "/problems",
            "/problems/{code}",
            "/products",
            "/products/{product_id}",
            "/readyz",
            "/v1/cache",
            "/v1/dead-letters",
            "/v1/dead-letters/redrive",
            "/v1/dead-letters/{letter_id}",
            "/v1/dead-letters/{letter_id}/discard",
            "/v1/dead-letters/{letter_id}/redrive",
            "/v1/events",
            "/v1/idempotency-keys/{key}",
            "/v1/orders",
            "/v1/orders/batch",
            "/v1/orders/{order_id}",
            "/v1/orders/{order_id}/cancel",
            "/v1/orders/{order_id}/notes",
            "/v1/orders/{order_id}/refunds",
            "/v1/orders/{order_id}/refunds/{refund_id}",
            "/v1/orders/{order_id}/ruling",
            "/v1/orders/{order_id}/timeline",
            "/v1/products",
            "/v1/products/{product_id}",
            "/v1/stock/{item_id}",
            "/v1/tokens",
            "/v1/tokens/{token_id}",
            "/v1/webhooks",
            "/v1/webhooks/{webhook_id}",
            "/v1/webhooks/{webhook_id}/deliveries",
            "/v1/webhooks/{webhook_id}/recover",
            "/v1/webhooks/{webhook_id}/resend",
            "/v1/webhooks/{webhook_id}/rotate",
        ]
    );
}

/// Routes under a second name, and those that are not for clients.
const NOT_DOCUMENTED: [&str; 8] = [
    "/-/healthy",
    "/bench/",
    // The answer to all other paths.
    "/{*__private__axum_fallback}",
    "/health",
    "/healthz",
    "/products/{product_id}/{*rest}",
    // Pages for people.
    "/ui",
    "/ui/",
];

#[test]
fn every_route_of_the_router_is_in_the_document() {
    let shown = format!("{:?}", all_routes());
    let known: BTreeSet<&str> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|it| &**it)
        .collect();
    let routes: Vec<&str> = shown
        .split('"')
        .filter(|word| word.starts_with('/'))
        .collect();
    for route in &routes {
        let trimmed = if route.len() > 1 {
            route.trim_end_matches('/')
        } else {
            route
        };
        let other = NOT_DOCUMENTED
            .iter()
            .any(|it| route == it || it.ends_with('/') && route.starts_with(it));
        assert!(
            known.contains(trimmed) || other,
            "{route} is not in the document"
        );
    }
    for path in known {
        assert!(
            routes.contains(&path),
            "{path} is in the document, and no route"
        );
    }
}

#[test]
fn a_route_has_one_template() {
    assert_eq!(template("/orders/{order_id}/"), "/orders/{order_id}");
    assert_eq!(template("/"), "/");
    assert_eq!(template("/wp-login.php"), "other");
}

#[test]
fn every_page_is_counted_by_its_template() {
    let shown = format!("{:?}", all_routes());
    let pages = shown.split('"').filter(|word| word.starts_with("/ui"));
    let mut count = 0;
    for page in pages.filter(|page| *page != "/ui/{*rest}") {
        assert_ne!(template(page), "other", "{page}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}
